import { systemClock } from '@lanner/protocol';
import { pino, type DestinationStream, type Logger as PinoLogger } from 'pino';
import { createBatchedDestination } from './batched-destination.ts';

/** Structured log: object first, then a constant message. Children bind `component`. */
export type Logger = PinoLogger;

export type LoggerLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface LoggerOptions {
  /** Default `info`. */
  level?: LoggerLevel;
  /** Default: standard error, written without blocking and in batches. */
  destination?: DestinationStream;
}

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
    destination ?? createBatchedDestination(2),
  );
}

/** Resolves when everything logged so far is written. */
export function flushLogger(log: Logger): Promise<void> {
  return new Promise((resolve) => log.flush(() => resolve()));
}
