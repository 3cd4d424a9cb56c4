import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { LogLevel as LevelName, LogSource as SourceName } from '@lanner/protocol';
import { LogLevel, LogSchema, LogSource, type Log } from '@lanner/protocol/common';

const levels: Record<LevelName, LogLevel> = {
  trace: LogLevel.TRACE,
  debug: LogLevel.DEBUG,
  info: LogLevel.INFO,
  warning: LogLevel.WARNING,
  error: LogLevel.ERROR,
  stdout: LogLevel.STDOUT,
  stderr: LogLevel.STDERR,
};

const sources: Record<SourceName, LogSource> = {
  builder: LogSource.BUILDER,
  bridge: LogSource.BRIDGE,
  user: LogSource.USER,
};

/** A line as clients read it. The timestamp is always set: without one the SDK shows 1970. */
export function toLogMessage(line: { atMs: number; source: SourceName; level: LevelName; line: string }): Log {
  return create(LogSchema, {
    message: line.line,
    source: sources[line.source],
    level: levels[line.level],
    timestamp: timestampFromMs(Math.floor(line.atMs)),
  });
}
