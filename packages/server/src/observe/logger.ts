import { systemClock } from '@lanner/protocol';
import { pino, type DestinationStream, type Logger as PinoLogger } from 'pino';

/** Structured log: object first, then a constant message. Children bind `component`. */
export type Logger = PinoLogger;

export type LoggerLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface LoggerOptions {
  /** Default `info`. */
  level?: LoggerLevel;
  /** Default: standard error, written without blocking and in batches. */
  destination?: DestinationStream;
}

/** Lines are written when this much has come together … */
const batchBytes = 8_192;
/** … or after this time. */
const flushDelayMs = 100;

/** Names under which a secret could slip into a log object, at the top and one level down. */
const secretNames = [
  'authorization',
  'keySecret',
  'secret',
  'secrets',
  'token',
  'password',
  'cookie',
  'env',
  'privateKey',
];

/**
 * The log of the server: one JSON object a line. Values under names that hold secrets are replaced, whoever passes them.
 *
 * The default destination does not block the event loop. It gathers lines for at most {@link flushDelayMs}: a write for each
 * line would cost a busy gateway more than the rest of a call. What is gathered is written when the process exits, also by
 * an uncaught error; only `kill -9` loses it.
 */
export function createLogger({ level = 'info', destination }: LoggerOptions = {}): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date(systemClock.nowMs()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secretNames.flatMap((name) => [name, `*.${name}`]), censor: '[hidden]' },
    },
    destination ?? pino.destination({ dest: 2, sync: false, minLength: batchBytes, periodicFlush: flushDelayMs }),
  );
}

/** Resolves when everything logged so far is written. */
export function flushLogger(log: Logger): Promise<void> {
  return new Promise((resolve) => log.flush(() => resolve()));
}
