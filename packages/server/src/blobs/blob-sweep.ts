import type { Clock, Timer } from '@lanner/protocol';
import type { AppFileStore } from './app-file-store.ts';
import type { BlobReferences } from './blob-references.ts';
import type { Blobs } from './blobs.ts';
import type { UploadSessions } from './upload-sessions.ts';

export interface BlobSweepOptions {
  blobs: Pick<Blobs, 'shards' | 'listOlder' | 'deleteOlder'>;
  references: BlobReferences;
  appFiles: Pick<AppFileStore, 'removeUnused'>;
  sessions: Pick<UploadSessions, 'sweep'>;
  clock: Clock;
  log: { info(facts: object, message: string): void; error(facts: object, message: string): void };
  ages?: BlobAges;
}

export interface BlobAges {
  /** A blob is written before anything refers to it; younger ones may still be on their way. Default 24 h. */
  blobMs: number;
  /** App files that no revision needs stay this long after the last use, so that the next deploy need not send them again. Default 30 days. */
  appFileMs: number;
}

/** Removes blobs that nothing refers to: of deleted revisions, of runs and uploads that a crash cut off. */
export interface BlobSweep {
  /** One round soon, then one every hour. */
  start(): void;
  /** One round. */
  run(): Promise<void>;
  /** Idempotent; waits for the step under way. */
  stop(): Promise<void>;
}

const hourMs = 60 * 60 * 1000;
const defaultAges: BlobAges = { blobMs: 24 * hourMs, appFileMs: 30 * 24 * hourMs };
/** Not in the way of the first requests. */
const firstRoundMs = 15_000;
const intervalMs = hourMs;
/** Between two steps, so that requests in progress never notice. */
const pauseMs = 20;
const filesPerStep = 100;
const blobsPerStep = 200;

/**
 * Mark and sweep in small steps. Nothing is locked: a blob goes only when it is old, nothing stored refers to it, and
 * nobody has written or touched it since (see {@link Blobs.deleteOlder}); new references are made to new or touched blobs
 * alone.
 */
export function createBlobSweep(options: BlobSweepOptions): BlobSweep {
  const { blobs, references, appFiles, sessions, clock, log, ages = defaultAges } = options;
  const ending = new AbortController();
  const { signal } = ending;
  let timer: Timer | undefined;
  let running: Promise<void> | null = null;

  const removeAppFiles = async (): Promise<number> => {
    let count = 0;
    for (let isMore = true; isMore && !signal.aborted;) {
      const removed = await appFiles.removeUnused(clock.nowMs() - ages.appFileMs, filesPerStep);
      count += removed;
      isMore = removed === filesPerStep;
      if (isMore) await clock.sleep(pauseMs, signal);
    }
    return count;
  };

  const removeBlobs = async (): Promise<number> => {
    const writtenBeforeMs = clock.nowMs() - ages.blobMs;
    let count = 0;
    for (const shard of await blobs.shards()) {
      const old = await blobs.listOlder(shard, writtenBeforeMs);
      for (let start = 0; start < old.length && !signal.aborted; start += blobsPerStep) {
        const names = old.slice(start, start + blobsPerStep);
        const referenced = await references.filterReferenced(names);
        for (const name of names) {
          if (!referenced.has(name) && (await blobs.deleteOlder(name, writtenBeforeMs))) count += 1;
        }
        await clock.sleep(pauseMs, signal);
      }
      signal.throwIfAborted();
    }
    return count;
  };

  const work = async (): Promise<void> => {
    await sessions.sweep();
    const appFileCount = await removeAppFiles();
    const blobCount = await removeBlobs();
    if (appFileCount + blobCount > 0) {
      log.info({ blobs: blobCount, appFiles: appFileCount }, 'blobs that nobody needs any more were removed');
    }
  };

  const run = (): Promise<void> => {
    running ??= work().finally(() => (running = null));
    return running;
  };

  const arm = (delayMs: number): void => {
    if (signal.aborted) return;
    timer = clock.setTimer(delayMs, () => {
      run()
        .catch((error: unknown) => {
          if (!signal.aborted) log.error({ err: error }, 'unused blobs could not be removed');
        })
        .finally(() => arm(intervalMs));
    });
  };

  return {
    start: () => arm(firstRoundMs),
    run,
    async stop() {
      ending.abort(new Error('the server is stopping'));
      timer?.cancel();
      await running?.catch(() => undefined);
    },
  };
}
