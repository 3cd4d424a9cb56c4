import type { Clock, LogLevel, LogSource } from '@lanner/protocol';
import type { EventLog } from '../events/event-log.ts';
import { createLogBudget } from '../events/log-budget.ts';
import type { FrameHeader } from '../lib/frames.ts';
import { inferLogLevel } from './log-level.ts';
import { createMask } from './mask-secrets.ts';

/** The way of one runner's lines into the event log: masked, classified, within its budget. */
export interface RunnerLogs {
  /** A `log` frame of the bridge. */
  takeFrame(header: FrameHeader): void;
  /** A line of the platform about this runner. */
  add(source: LogSource, level: LogLevel, line: string): void;
  /** Last error line of the bridge itself. */
  readonly lastBridgeError: string | undefined;
}

const levels: ReadonlySet<string> = new Set(['trace', 'debug', 'info', 'warning', 'error', 'stdout', 'stderr']);
const maxLineChars = 64 * 1024;
const maxLabels = 32;
const maxLabelChars = 1024;

export function createRunnerLogs(
  runnerId: string,
  env: Readonly<Record<string, string>>,
  events: EventLog,
  clock: Clock,
): RunnerLogs {
  const mask = createMask(env);
  const budget = createLogBudget(clock);
  let lastBridgeError: string | undefined;

  return {
    get lastBridgeError() {
      return lastBridgeError;
    },
    takeFrame(header) {
      const text = header['line'];
      if (typeof text !== 'string') return;
      // The budget comes first: what is dropped must cost nothing more.
      if (!budget.take(text.length)) return events.countDropped(runnerId, 1);
      const line = mask(text.slice(0, maxLineChars));
      const stream = header['stream'] === 'stderr' ? 'stderr' : header['stream'] === 'bridge' ? 'bridge' : 'stdout';
      const source: LogSource = stream === 'bridge' ? 'bridge' : 'user';
      const level = stream === 'bridge' ? toLevel(header['level']) : inferLogLevel(line);
      if (stream === 'bridge' && level === 'error') lastBridgeError = line;
      const labels = toLabels(header['labels'], mask);
      const atMs = header['atMs'];
      events.appendLog(
        { runnerId, source, stream, level, line, ...(labels === undefined ? {} : { labels }) },
        typeof atMs === 'number' && Number.isFinite(atMs) ? atMs : undefined,
      );
    },
    add(source, level, line) {
      events.appendLog({ runnerId, source, stream: 'bridge', level, line: mask(line) });
    },
  };
}

function toLevel(value: unknown): LogLevel {
  return typeof value === 'string' && levels.has(value) ? (value as LogLevel) : 'info';
}

function toLabels(value: unknown, mask: (text: string) => string): Record<string, string> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const entries = Object.entries(value)
    .filter((entry): entry is [string, string] => typeof entry[1] === 'string')
    .slice(0, maxLabels)
    .map(([name, text]) => [name.slice(0, maxLabelChars), mask(text.slice(0, maxLabelChars))] as const);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
