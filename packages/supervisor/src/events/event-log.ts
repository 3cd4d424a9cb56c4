import type { Clock, LogLevel, LogSource, SupervisorEvent } from '@lanner/protocol';

/** A log line as a runner wrote it: cut, masked and classified. */
export interface LogLine {
  runnerId: string;
  source: LogSource;
  stream: 'stdout' | 'stderr' | 'bridge';
  level: LogLevel;
  line: string;
  labels?: Record<string, string>;
}

/** An event without the fields the log adds. */
export type NewEvent = DistributiveOmit<SupervisorEvent, 'seq' | 'atMs'>;
type DistributiveOmit<T, K extends string> = T extends unknown ? Omit<T, K> : never;
type StoredEvent = Exclude<NewEvent, { type: 'heartbeat' }>;

export interface EventLogSettings {
  clock: Clock;
  /** Memory for log lines nobody has acknowledged. Default 16 MiB. */
  maxLogBytes?: number;
}

export interface EventLog {
  readonly lastSeq: number;
  /** Stores an event until it is acknowledged. Never dropped. */
  append(event: StoredEvent): void;
  /**
   * Stores a log line, or drops it and counts it when the memory for lines is used up. A runner gets a fair share, so a
   * noisy one cannot take the others' lines; one with little stored may go on until twice the limit.
   * @param atMs time of the line; default now.
   */
  appendLog(line: LogLine, atMs?: number): 'stored' | 'dropped';
  /** Counts lines that were dropped before they came here. */
  countDropped(runnerId: string, lines: number): void;
  /** True while the next line of this runner would be dropped. */
  isFull(runnerId: string): boolean;
  /** True while it would be dropped although somebody reads events: holding the runner up loses nothing. */
  shouldHoldUp(runnerId: string): boolean;
  /** Counts a reader of events until the returned function is called. */
  addReader(): () => void;
  /** Tells about lines not yet reported as dropped; call it before the last event of a runner. */
  flushGap(runnerId: string): void;
  /** Forgets events up to `seq`; returns the runners whose `runner.exited` was among them. */
  acknowledge(seq: number): string[];
  /** Stored events after `seq`, at most `limit`. */
  readAfter(seq: number, limit: number): SupervisorEvent[];
  /** Resolves when an event later than `seq` is stored, or the signal aborts. */
  waitAfter(seq: number, signal: AbortSignal): Promise<void>;
  /** Calls back after every acknowledgement that freed memory for lines. */
  onSpace(listener: () => void): () => void;
}

interface RunnerShare {
  storedBytes: number;
  droppedLines: number;
  lastGapAtMs: number;
}

/** Bytes a stored line costs beside its text: objects, ids, labels. A round figure. */
const lineOverheadBytes = 200;
const smallShareBytes = 64 * 1024;
const fewestShares = 4;
/** A runner that keeps losing lines is reported this often. */
const gapIntervalMs = 5000;

/** The ordered events of this supervisor's boot, kept until the server has acknowledged them. */
export function createEventLog(settings: EventLogSettings): EventLog {
  const { clock } = settings;
  const maxLogBytes = settings.maxLogBytes ?? 16 * 1024 * 1024;
  /** Contiguous by `seq`; the first `head` places are acknowledged and empty. */
  let events: (SupervisorEvent | undefined)[] = [];
  let head = 0;
  let firstSeq = 1;
  let lastSeq = 0;
  let logBytes = 0;
  let readers = 0;
  const shares = new Map<string, RunnerShare>();
  const waiters = new Set<() => void>();
  const spaceListeners = new Set<() => void>();

  const shareOf = (runnerId: string): RunnerShare => {
    let share = shares.get(runnerId);
    if (share === undefined) {
      share = { storedBytes: 0, droppedLines: 0, lastGapAtMs: Number.NEGATIVE_INFINITY };
      shares.set(runnerId, share);
    }
    return share;
  };

  const store = (event: StoredEvent, atMs: number): void => {
    lastSeq += 1;
    events.push({ seq: lastSeq, atMs, ...event } as SupervisorEvent);
    if (waiters.size === 0) return;
    const woken = [...waiters];
    waiters.clear();
    for (const wake of woken) wake();
  };

  const isFull = (runnerId: string): boolean => {
    const stored = shares.get(runnerId)?.storedBytes ?? 0;
    if (stored < smallShareBytes) return logBytes >= 2 * maxLogBytes;
    return logBytes >= maxLogBytes || stored >= maxLogBytes / Math.max(fewestShares, shares.size);
  };

  const flushGap = (runnerId: string): void => {
    const share = shares.get(runnerId);
    if (share === undefined || share.droppedLines === 0) return;
    const { droppedLines } = share;
    share.droppedLines = 0;
    share.lastGapAtMs = clock.monotonicMs();
    store({ type: 'runner.log-gap', runnerId, droppedLines }, clock.nowMs());
  };

  const countDropped = (runnerId: string, lines: number): void => {
    const share = shareOf(runnerId);
    share.droppedLines += lines;
    if (clock.monotonicMs() - share.lastGapAtMs >= gapIntervalMs) flushGap(runnerId);
  };

  const forget = (event: SupervisorEvent): string | undefined => {
    if (event.type === 'runner.log') {
      const bytes = costOf(event.line);
      logBytes -= bytes;
      const share = shares.get(event.runnerId);
      if (share !== undefined) share.storedBytes -= bytes;
      return undefined;
    }
    if (event.type !== 'runner.exited') return undefined;
    shares.delete(event.runnerId);
    return event.runnerId;
  };

  return {
    get lastSeq() {
      return lastSeq;
    },
    append: (event) => store(event, clock.nowMs()),
    appendLog(line, atMs) {
      if (isFull(line.runnerId)) {
        countDropped(line.runnerId, 1);
        return 'dropped';
      }
      flushGap(line.runnerId);
      const bytes = costOf(line.line);
      logBytes += bytes;
      shareOf(line.runnerId).storedBytes += bytes;
      store({ type: 'runner.log', ...line }, atMs ?? clock.nowMs());
      return 'stored';
    },
    countDropped,
    isFull,
    shouldHoldUp: (runnerId) => readers > 0 && isFull(runnerId),
    addReader() {
      let isReading = true;
      readers += 1;
      return () => {
        if (isReading) readers -= 1;
        isReading = false;
      };
    },
    flushGap,
    acknowledge(seq) {
      const exited: string[] = [];
      const logBytesBefore = logBytes;
      while (firstSeq <= seq && head < events.length) {
        const runnerId = forget(events[head]!);
        if (runnerId !== undefined) exited.push(runnerId);
        events[head] = undefined;
        head += 1;
        firstSeq += 1;
      }
      if (head > 1024 && head * 2 > events.length) {
        events = events.slice(head);
        head = 0;
      }
      if (logBytes < logBytesBefore) for (const listener of [...spaceListeners]) listener();
      return exited;
    },
    readAfter(seq, limit) {
      const start = head + Math.max(0, seq + 1 - firstSeq);
      return events.slice(start, start + limit) as SupervisorEvent[];
    },
    waitAfter(seq, signal) {
      if (lastSeq > seq || signal.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        const finish = (): void => {
          waiters.delete(finish);
          signal.removeEventListener('abort', finish);
          resolve();
        };
        waiters.add(finish);
        signal.addEventListener('abort', finish, { once: true });
      });
    },
    onSpace(listener) {
      spaceListeners.add(listener);
      return () => spaceListeners.delete(listener);
    },
  };
}

function costOf(line: string): number {
  return line.length * 2 + lineOverheadBytes;
}
