import { join } from 'node:path';
import { LannerError, type Clock, type Timer } from '@lanner/protocol';
import type { LogLine } from './log-line.ts';
import { enforceLogBudget } from './log-budget.ts';
import type { Logger } from './logger.ts';
import {
  encodeLine,
  openRunnerLogFiles,
  readRunnerLines,
  readRunnerLogOwner,
  type EncodedLine,
  type RunnerLogFiles,
} from './runner-log-files.ts';
import { isInRange, type LogRange, type RunnerLogOwner, type RunnerLogs } from './runner-logs.ts';

/** Bounds of what is kept of user output. */
export interface RunnerLogLimits {
  /** On disk, per runner; oldest lines go first. Default 16 MiB. */
  runnerBytes: number;
  /** On disk, of all runners together. Default 1 GiB. */
  totalBytes: number;
  /** Longer lines are cut. Characters; default 65,536. */
  lineLength: number;
  /** Lines in memory per runner. Default 200. */
  recentLines: number;
  /** Runners with lines in memory; those that were silent longest are forgotten. Default 1,000. */
  recentRunners: number;
  /** Bytes of a runner waiting for the disk; more is dropped and counted. Default 4 MiB. */
  pendingBytes: number;
  /** How long lines wait for company before they are written. Default 200. */
  flushDelayMs: number;
}

export const defaultRunnerLogLimits: RunnerLogLimits = {
  runnerBytes: 16 * 1024 ** 2,
  totalBytes: 1024 ** 3,
  lineLength: 65_536,
  recentLines: 200,
  recentRunners: 1_000,
  pendingBytes: 4 * 1024 ** 2,
  flushDelayMs: 200,
};

/** A runner's limit is spread over this many files, so that making room costs a quarter of its lines. */
const segmentCount = 4;

/** Runner ids become names of folders. */
const folderPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

interface RunnerEntry {
  owner: RunnerLogOwner;
  files: RunnerLogFiles;
  recent: LogLine[];
  /** Of lines after this moment none is missing in `recent`. */
  completeAfterMs: number;
  pending: EncodedLine[];
  pendingBytes: number;
  droppedLines: number;
}

/** Runner logs below one folder. Lines written by an earlier server are read as if they were its own. */
export function createRunnerLogs(options: {
  /** For example `logs/runners` in the data folder; made when needed. */
  directory: string;
  clock: Clock;
  log: Logger;
  limits?: Partial<RunnerLogLimits>;
}): RunnerLogs {
  const { directory, clock } = options;
  const log = options.log.child({ component: 'runner-logs' });
  const limits = { ...defaultRunnerLogLimits, ...options.limits };
  /** In the order of their latest line, oldest first. */
  const runners = new Map<string, RunnerEntry>();
  const waiting = new Set<RunnerEntry>();
  let flushTimer: Timer | null = null;
  let writing: Promise<void> = Promise.resolve();
  /** Ends with the flush that is due. */
  let nextFlush: PromiseWithResolvers<void> | null = null;
  let isClosed = false;
  let completeAfterMs = clock.nowMs();
  /** Written since the budget was last looked at; the first write looks at once. */
  let unweighedBytes = Infinity;

  const entryOf = (runnerId: string, owner: RunnerLogOwner): RunnerEntry => {
    const known = runners.get(runnerId);
    const entry = known ?? {
      owner,
      files: openRunnerLogFiles({
        directory: join(directory, runnerId),
        owner,
        segmentBytes: Math.ceil(limits.runnerBytes / segmentCount),
        segmentCount,
      }),
      recent: [],
      completeAfterMs,
      pending: [],
      pendingBytes: 0,
      droppedLines: 0,
    };
    runners.delete(runnerId);
    runners.set(runnerId, entry);
    if (known === undefined && runners.size > limits.recentRunners) {
      runners.delete(runners.keys().next().value!);
      completeAfterMs = clock.nowMs();
    }
    return entry;
  };

  const remember = (entry: RunnerEntry, line: LogLine): void => {
    entry.recent.push(line);
    // In slabs: shifting an array at every line would cost its length each time.
    if (entry.recent.length < limits.recentLines * 2) return;
    for (const { atMs } of entry.recent.splice(0, entry.recent.length - limits.recentLines)) {
      entry.completeAfterMs = Math.max(entry.completeAfterMs, atMs);
    }
  };

  /** Polls of a request that runs now; null when older lines may be asked for, or it is for others to say whose runner it is. */
  const fromMemory = (accountId: string, runnerId: string, range: LogRange): LogLine[] | null => {
    const entry = runners.get(runnerId);
    if (entry?.owner.accountId !== accountId || !((range.sinceMs ?? -Infinity) > entry.completeAfterMs)) return null;
    return entry.recent
      .filter((line) => isInRange(line, range))
      .slice(-range.limit)
      .toReversed();
  };

  const enqueue = (entry: RunnerEntry, line: LogLine, seq: number | null): void => {
    if (entry.pendingBytes >= limits.pendingBytes) {
      entry.droppedLines += 1;
      return;
    }
    const encoded = encodeLine(line, seq);
    entry.pending.push(encoded);
    entry.pendingBytes += encoded.text.length;
    waiting.add(entry);
    nextFlush ??= Promise.withResolvers();
    flushTimer ??= clock.setTimer(limits.flushDelayMs, () => void flush());
  };

  const writeEntry = async (entry: RunnerEntry): Promise<void> => {
    if (entry.droppedLines > 0) {
      const line = `Lanner dropped ${entry.droppedLines} lines here: they came faster than the disk takes them.`;
      entry.pending.push(encodeLine({ atMs: clock.nowMs(), source: 'bridge', level: 'warning', line }, null));
      entry.droppedLines = 0;
    }
    const lines = entry.pending;
    entry.pending = [];
    entry.pendingBytes = 0;
    unweighedBytes += await entry.files.append(lines);
  };

  const flush = (): Promise<void> => {
    flushTimer?.cancel();
    flushTimer = null;
    const due = nextFlush;
    nextFlush = null;
    writing = writing.then(async () => {
      const batch = [...waiting];
      waiting.clear();
      for (const entry of batch) {
        await writeEntry(entry).catch((error: unknown) => log.error({ err: error }, 'runner log could not be written'));
      }
      if (unweighedBytes < limits.totalBytes / 16) return;
      unweighedBytes = 0;
      await enforceLogBudget(directory, limits.totalBytes, (folder) => runners.has(folder)).catch((error: unknown) =>
        log.error({ err: error }, 'old runner logs could not be removed'),
      );
    });
    if (due) void writing.then(due.resolve);
    return writing;
  };

  return {
    append(runnerId, owner, line, seq) {
      if (isClosed || !folderPattern.test(runnerId)) return;
      const kept =
        line.line.length <= limits.lineLength
          ? line
          : { ...line, line: `${line.line.slice(0, limits.lineLength)}… (cut)` };
      const entry = entryOf(runnerId, owner);
      remember(entry, kept);
      enqueue(entry, kept, seq);
    },

    written: () => nextFlush?.promise ?? writing,

    recent(runnerId, lineCount) {
      const lines = runners.get(runnerId)?.recent ?? [];
      return lineCount <= 0 ? [] : lines.slice(-Math.min(lineCount, limits.recentLines));
    },

    async read(accountId, runnerId, range) {
      const recent = fromMemory(accountId, runnerId, range);
      if (recent !== null) return recent;
      await flush();
      const folder = join(directory, runnerId);
      const owner = folderPattern.test(runnerId) ? await readRunnerLogOwner(folder) : null;
      if (owner === null || owner.accountId !== accountId) {
        throw new LannerError(
          'runner_not_found',
          `No logs of a runner '${runnerId.slice(0, 100)}' exist in this account.`,
        );
      }
      return readRunnerLines(folder, range);
    },

    async close() {
      isClosed = true;
      await flush();
    },
  };
}
