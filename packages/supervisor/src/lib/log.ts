import type { Clock } from '@lanner/protocol';

/** Structured log of the supervisor itself: an object and a constant message per line. Never secrets. */
export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** JSON lines to `write`. A logging library would be an eighth of this process's memory for the few lines it writes. */
export function createLog(clock: Clock, write: (line: string) => void): Log {
  const at =
    (level: string) =>
    (fields: object, message: string): void =>
      write(`${JSON.stringify({ level, time: clock.nowMs(), ...describeErrors(fields), msg: message })}\n`);
  return { info: at('info'), warn: at('warn'), error: at('error') };
}

/** A log that keeps silent. */
export const silentLog: Log = { info() {}, warn() {}, error() {} };

function describeErrors(fields: object): object {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      key,
      value instanceof Error ? (value.stack ?? value.message) : value,
    ]),
  );
}
