import { timestampDate } from '@bufbuild/protobuf/wkt';
import { LogLevel, LogSource, type Log } from '@lanner/protocol/common';
import type { ProgressLog } from './deploy-types.ts';

const levels: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(LogLevel).map(([name, number]) => [number, name.toLowerCase()]),
);
const sources: Readonly<Record<number, ProgressLog['source']>> = {
  [LogSource.BUILDER]: 'builder',
  [LogSource.BRIDGE]: 'bridge',
  [LogSource.USER]: 'user',
};

/** A log line of the wire for people. */
export function toProgressLog(log: Log): ProgressLog {
  return {
    message: log.message,
    level: levels[log.level] ?? 'info',
    source: sources[log.source] ?? 'unknown',
    timestamp: log.timestamp ? timestampDate(log.timestamp) : new Date(0),
  };
}
