import { randomUUID } from 'node:crypto';
import { Code, ConnectError } from '@connectrpc/connect';
import { isLannerError, toLannerError, type RpcCode } from '@lanner/protocol';
import type { ApiLog } from '../api-log.ts';

const codes: Record<RpcCode, Code> = {
  invalid_argument: Code.InvalidArgument,
  not_found: Code.NotFound,
  already_exists: Code.AlreadyExists,
  permission_denied: Code.PermissionDenied,
  unauthenticated: Code.Unauthenticated,
  failed_precondition: Code.FailedPrecondition,
  resource_exhausted: Code.ResourceExhausted,
  unimplemented: Code.Unimplemented,
  aborted: Code.Aborted,
  unknown: Code.Unknown,
  unavailable: Code.Unavailable,
  deadline_exceeded: Code.DeadlineExceeded,
  internal: Code.Internal,
};

/**
 * Status text travels percent-encoded in a header, and grpcio refuses headers of more than 8 KiB in all, so that the user
 * would see a transport error instead of ours.
 */
const longestEncodedText = 6000;
const cutMark = '\n… (cut) …\n';

/**
 * Any thrown value as the status a client gets: the code from the catalogue, the message verbatim (it is what the user
 * sees). What is no LannerError is a defect of ours: it is logged with an id, and the client is told the id only.
 */
export function toConnectError(error: unknown, log: ApiLog): ConnectError {
  if (error instanceof ConnectError) return error;
  if (isLannerError(error) && error.code !== 'internal_error') {
    if (error.cause !== undefined && error.entry.fault === 'platform')
      log.warn({ err: error, code: error.code }, 'call refused');
    return new ConnectError(boundStatusText(error.message), codes[error.entry.rpcCode], undefined, undefined, error);
  }
  const errorId = randomUUID();
  log.error({ err: error, errorId }, 'call failed');
  return new ConnectError(
    boundStatusText(`${toLannerError(error).message} (error ${errorId})`),
    Code.Internal,
    undefined,
    undefined,
    error,
  );
}

/** Keeps the beginning and the end of a text that is too long for a status; clients look at both. */
export function boundStatusText(text: string): string {
  const encodedLength = (part: string): number => encodeURIComponent(part.toWellFormed()).length;
  if (encodedLength(text) <= longestEncodedText) return text.toWellFormed();
  const half = (longestEncodedText - encodedLength(cutMark)) / 2;
  const characters = Array.from(text.toWellFormed());
  const take = (from: Iterable<string>): string[] => {
    const taken: string[] = [];
    let size = 0;
    for (const character of from) {
      size += encodedLength(character);
      if (size > half) break;
      taken.push(character);
    }
    return taken;
  };
  const head = take(characters).join('');
  const tail = take(characters.toReversed()).reverse().join('');
  return head + cutMark + tail;
}
