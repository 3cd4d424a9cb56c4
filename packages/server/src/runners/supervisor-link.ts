import { Readable } from 'node:stream';
import {
  errorCatalogue,
  LannerError,
  type AckRequest,
  type AttemptOrder,
  type AttemptSnapshot,
  type BuildMessage,
  type BuildRequest,
  type ErrorCode,
  type SessionOrder,
  type StartRunnerRequest,
  type StartRunnerResponse,
  type StopRequest,
  type SupervisorEvent,
  type SupervisorStatus,
} from '@lanner/protocol';
import { Pool, type Dispatcher } from 'undici';
import { AttemptChannel } from './attempt-channel.ts';
import { readJsonLines } from './json-lines.ts';
import { openRunnerSession, type RunnerSession } from './runner-session.ts';
import { defaultSupervisorPatience, type SupervisorPatience } from './supervisor-patience.ts';

/** Larger bodies are sent in a call of their own. */
const maxChannelBytes = 64 * 1024;

/** One supervisor as it is reached over its socket. Speaks `packages/protocol/src/supervisor-api.ts`; keeps no state. */
export interface SupervisorLink {
  status(signal?: AbortSignal): Promise<SupervisorStatus>;
  startRunner(request: StartRunnerRequest): Promise<StartRunnerResponse>;
  /** Unknown runners are ignored. */
  stopRunner(runnerId: string, request: StopRequest): Promise<void>;
  /** Unknown runners are ignored. */
  killRunner(runnerId: string): Promise<void>;
  readResult(runnerId: string): Promise<Uint8Array>;
  forgetResult(runnerId: string): Promise<void>;
  startAttempt(runnerId: string, order: AttemptOrder, body: Uint8Array | Readable): Promise<void>;
  listAttempts(): Promise<AttemptSnapshot[]>;
  readAttempt(attemptId: string): Promise<Readable>;
  /** Soon; a lost one is made up for by the next server. */
  forgetAttempt(attemptId: string): void;
  openSession(runnerId: string, order: SessionOrder): RunnerSession;
  build(request: BuildRequest, signal: AbortSignal): AsyncIterable<BuildMessage>;
  /** Events after `seq`, heartbeats included, until the supervisor or the signal ends them. */
  events(afterSeq: number, signal: AbortSignal): AsyncIterable<SupervisorEvent>;
  acknowledge(request: AckRequest): Promise<void>;
  shutdown(request: StopRequest): Promise<void>;
  /** Cuts every connection. */
  close(): Promise<void>;
}

/**
 * A link over a Unix socket. Every method throws `supervisor_unavailable` when the supervisor cannot be reached, and
 * otherwise the error that it answered.
 */
export function createSupervisorLink(
  socketPath: string,
  patience: SupervisorPatience = defaultSupervisorPatience,
): SupervisorLink {
  const pool = new Pool('http://supervisor', {
    socketPath,
    headersTimeout: patience.answerMs,
    bodyTimeout: patience.silenceMs,
    connect: { timeout: 2_000, socketPath },
  });

  const channel = new AttemptChannel(socketPath);

  const call = async (
    method: Dispatcher.HttpMethod,
    path: string,
    options: { body?: unknown; raw?: Buffer | Readable; signal?: AbortSignal | undefined; bodyTimeout?: number } = {},
  ): Promise<Dispatcher.ResponseData['body']> => {
    const { body, raw, signal, bodyTimeout } = options;
    let response: Dispatcher.ResponseData;
    try {
      response = await pool.request({
        method,
        path,
        signal: signal ?? null,
        ...(bodyTimeout === undefined ? {} : { bodyTimeout }),
        ...(raw === undefined ? {} : { body: raw }),
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      });
    } catch (error) {
      throw signal?.aborted ? (signal.reason as Error) : unreachable(error);
    }
    if (response.statusCode < 400) return response.body;
    throw await readError(response);
  };

  /** For calls whose body matters as a whole. */
  const callWhole = async <T>(
    read: (body: Dispatcher.ResponseData['body']) => Promise<T>,
    ...args: Parameters<typeof call>
  ): Promise<T> => {
    const body = await call(...args);
    try {
      return await read(body);
    } catch (error) {
      throw args[2]?.signal?.aborted ? (args[2].signal.reason as Error) : unreachable(error);
    }
  };
  const callJson = <T>(...args: Parameters<typeof call>): Promise<T> =>
    callWhole(async (body) => (await body.json()) as T, ...args);
  const callForNothing = (...args: Parameters<typeof call>): Promise<void> => callWhole((body) => body.dump(), ...args);
  const unlessUnknown = async (done: Promise<void>): Promise<void> => {
    try {
      await done;
    } catch (error) {
      if (!(error instanceof LannerError) || error.entry.httpStatus !== 404) throw error;
    }
  };

  async function* stream<T>(...args: Parameters<typeof call>): AsyncGenerator<T> {
    const body = await call(...args);
    try {
      yield* readJsonLines<T>(body);
    } catch (error) {
      const signal = args[2]?.signal;
      throw signal?.aborted ? (signal.reason as Error) : unreachable(error);
    } finally {
      (body as Readable).destroy();
    }
  }

  const runnerPath = (runnerId: string): string => `/v1/runners/${encodeURIComponent(runnerId)}`;
  return {
    status: (signal) => callJson('GET', '/v1/status', { signal }),
    startRunner: (request) => callJson('POST', '/v1/runners', { body: request }),
    stopRunner: (runnerId, request) =>
      unlessUnknown(callForNothing('POST', `${runnerPath(runnerId)}/stop`, { body: request })),
    killRunner: (runnerId) => unlessUnknown(callForNothing('POST', `${runnerPath(runnerId)}/kill`)),
    readResult: (runnerId) => callWhole((body) => body.bytes(), 'GET', `${runnerPath(runnerId)}/result`),
    forgetResult: (runnerId) => unlessUnknown(callForNothing('DELETE', `${runnerPath(runnerId)}/result`)),
    openSession: (runnerId, order) => openRunnerSession(socketPath, runnerId, order),
    startAttempt: (runnerId, order, body) => {
      if (!(body instanceof Readable) && body.length <= maxChannelBytes) return channel.start(runnerId, order, body);
      const line = Buffer.from(`${JSON.stringify(order)}\n`);
      const raw =
        body instanceof Readable ? Readable.from(join(line, body), { objectMode: false }) : Buffer.concat([line, body]);
      return callForNothing('POST', `${runnerPath(runnerId)}/attempts`, { raw });
    },
    listAttempts: () => callJson('GET', '/v1/attempts'),
    readAttempt: (attemptId) => call('GET', `/v1/attempts/${encodeURIComponent(attemptId)}/result`),
    forgetAttempt: (attemptId) => channel.forget(attemptId),
    // A build may be silent for as long as a compiler is.
    build: (request, signal) => stream<BuildMessage>('POST', '/v1/builds', { body: request, signal, bodyTimeout: 0 }),
    // Whoever listens bounds the silence: a timer of undici's would wake an idle server twice a second.
    events: (afterSeq, signal) =>
      stream<SupervisorEvent>('GET', `/v1/events?after=${afterSeq}`, { signal, bodyTimeout: 0 }),
    acknowledge: (request) => callForNothing('POST', '/v1/events/ack', { body: request }),
    shutdown: (request) => callForNothing('POST', '/v1/shutdown', { body: request }),
    close: () => {
      channel.close();
      return pool.destroy();
    },
  };
}

async function* join(first: Buffer, rest: Readable): AsyncGenerator<Buffer> {
  yield first;
  for await (const chunk of rest as AsyncIterable<Buffer>) yield chunk;
}

function unreachable(cause: unknown): LannerError {
  return new LannerError('supervisor_unavailable', 'The supervisor of this machine cannot be reached.', { cause });
}

async function readError(response: Dispatcher.ResponseData): Promise<LannerError> {
  try {
    const { code, message } = (await response.body.json()) as { code: unknown; message: unknown };
    if (typeof code === 'string' && typeof message === 'string' && Object.hasOwn(errorCatalogue, code)) {
      return new LannerError(code as ErrorCode, message);
    }
  } catch {
    // Not an answer of ours; told below.
  }
  return new LannerError('internal_error', `The supervisor answered with status ${response.statusCode}.`);
}
