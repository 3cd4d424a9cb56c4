import { decode, encode } from '@msgpack/msgpack';
import {
  AppError,
  ConfigurationError,
  ConnectionError,
  ServerError,
  type ClientError,
  type ClientErrorCode,
} from '../errors/client-error.ts';

/** What a frame from the server is (data-plane 5.2). */
export type Incoming =
  | { kind: 'result'; value: unknown }
  | { kind: 'error'; error: ClientError; isTokenRefused: boolean }
  /** Timings, and the end of a quiet session. */
  | { kind: 'nothing' };

/** @throws ConfigurationError `invalid_argument` */
export function encodeInput(
  input: unknown,
  custom: ((input: unknown) => Uint8Array | string) | undefined,
): Uint8Array | string {
  try {
    return custom === undefined ? encode(input, { ignoreUndefined: true }) : custom(input);
  } catch (error) {
    throw new ConfigurationError('invalid_argument', 'The input cannot be encoded.', {
      cause: error,
      advice: 'Send plain data: objects, arrays, strings, numbers, booleans, null and Uint8Array.',
    });
  }
}

/** Reads a frame: text may be control, everything else is a result. Throws what the decoder throws. */
export async function readFrame(
  data: Uint8Array | string,
  custom: ((data: Uint8Array | string) => unknown) | undefined,
): Promise<Incoming> {
  if (typeof data !== 'string') {
    return { kind: 'result', value: custom === undefined ? decode(data) : await custom(data) };
  }
  const value = parseJson(data);
  return readControl(value) ?? { kind: 'result', value: custom === undefined ? value : await custom(data) };
}

function readControl(value: unknown): Incoming | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { type, status, error, reason } = value as Record<string, unknown>;
  if (type === 'x-fal-message') return { kind: 'nothing' };
  if (type === 'x-fal-error') {
    if (error === 'TIMEOUT') return { kind: 'nothing' };
    const message = typeof reason === 'string' && reason !== '' ? reason : textOf(error);
    const code = platformErrors.get(textOf(error));
    const options = { details: { error } };
    const told = code === undefined ? new AppError(message, value, options) : new ServerError(code, message, options);
    return { kind: 'error', error: told, isTokenRefused: false };
  }
  if (status === 'error' && error === 'Unauthorized') {
    const message = typeof reason === 'string' ? reason : 'The token was refused.';
    return { kind: 'error', error: new ServerError('unauthenticated', message), isTokenRefused: true };
  }
  return undefined;
}

/** What Lanner says in this way to callers that cannot see the status of a refused handshake. */
const platformErrors: ReadonlyMap<string, ClientErrorCode> = new Map<string, ClientErrorCode>([
  ['APP_NOT_FOUND', 'not_found'],
  ['INSUFFICIENT_PERMISSIONS', 'permission_denied'],
  ['TOKEN_NOT_FOR_APP', 'permission_denied'],
  ['START_TIMEOUT', 'timed_out'],
  ['STARTUP_TIMEOUT', 'timed_out'],
  ['STARTUP_FAILED', 'server_unavailable'],
  ['NO_CAPACITY', 'server_unavailable'],
  ['APP_SUSPENDED', 'server_unavailable'],
]);

const closeMeanings: ReadonlyMap<number, [ClientErrorCode, string]> = new Map<number, [ClientErrorCode, string]>([
  [1001, ['server_unavailable', 'The server is going away.']],
  [1008, ['rejected', 'The connection was refused.']],
  [1009, ['rejected', 'A message was too large.']],
  [1011, ['server_error', 'The app ended without closing the connection.']],
  [1013, ['server_unavailable', 'No runner could take the connection.']],
  [3008, ['timed_out', 'The connection lasted longer than the app allows.']],
]);

/** The error of a connection that closed with another code than 1000. */
export function closeError(code: number, reason: string): ClientError {
  const [errorCode, meaning] = closeMeanings.get(code) ?? ['connection_lost', 'The connection ended unexpectedly.'];
  const details = { details: { closeCode: code, reason } };
  const message = reason === '' ? meaning : reason;
  return errorCode === 'connection_lost'
    ? new ConnectionError(errorCode, message, { ...details, advice: 'The next input connects again.' })
    : new ServerError(errorCode, message, details);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
