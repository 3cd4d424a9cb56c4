import type { ErrorCode } from '@lanner/protocol';
import type { Logger } from './logger.ts';

/** Everything worth knowing about one call, written once, after it has ended. */
export interface AccessRecord {
  requestId: string;
  role: string;
  method: string;
  /** `owner/app`; absent when the path named none. */
  app?: string | undefined;
  /** Path as the app saw it, without the query, which may hold tokens. */
  path?: string | undefined;
  /** `1.1`, `2` or `websocket`. */
  protocol: string;
  /** 499 when the caller left before an answer. */
  status: number;
  /** Code of the error that Lanner answered with; absent for answers of the app. */
  errorCode?: ErrorCode | undefined;
  /** What lies beneath the error, for whoever reads the log. */
  cause?: string | undefined;
  callerAccountId?: string | undefined;
  runnerId?: string | undefined;
  requestBytes: number;
  responseBytes: number;
  /** Until a runner took it. */
  waitMs?: number | undefined;
  /** From then until the answer began. */
  firstByteMs?: number | undefined;
  totalMs: number;
}

/**
 * Writes the one line of a call: `error` for platform faults, `debug` for calls that say nothing (a poll that went well), `info`
 * for everything else.
 */
export type AccessLog = (record: AccessRecord, isPlatformFault: boolean, saysNothing?: boolean) => void;

/**
 * The access log as part of a component's log. Its records have a fixed shape without secrets, so they are spared the search
 * for them, which would cost more than all the rest of a line.
 * @param onRecord sees every record, for counting.
 */
export function createAccessLog(log: Logger, onRecord?: (record: AccessRecord) => void): AccessLog {
  const plain = withoutRedaction(log);
  return (record, isPlatformFault, saysNothing = false) => {
    onRecord?.(record);
    if (saysNothing && !isPlatformFault) plain.debug(record, 'request finished');
    else if (isPlatformFault) plain.error(record, 'request failed');
    else plain.info(record, 'request finished');
  };
}

/** For lines of a fixed shape that are written for every request: the search for secrets would cost more than the line. */
export function withoutRedaction(log: Logger): Logger {
  return log.child({}, { redact: { paths: [] } });
}
