import type { LogLevel, LogSource } from '@lanner/protocol';

/** One line of a runner, as people see it. */
export interface LogLine {
  atMs: number;
  source: LogSource;
  level: LogLevel;
  line: string;
  labels?: Record<string, string>;
}
