import type { Clock, Timer } from '@lanner/protocol';
import type { Blobs } from '../blobs/blobs.ts';
import type { KeyValueStore } from './key-value-store.ts';
import type { ObjectStore } from './object-store.ts';

export interface SweepOptions {
  store: ObjectStore;
  keyValues: Pick<KeyValueStore, 'removeExpired'>;
  blobs: Pick<Blobs, 'delete'>;
  /** Blobs that are being written right now. */
  writing: ReadonlySet<string>;
  clock: Clock;
  log: { info(facts: object, message: string): void; error(facts: object, message: string): void };
  /** Default 15 minutes: what is over cannot be read any more, so its bytes may wait. */
  intervalMs?: number;
  /** Things removed before others get their turn. Default 100. */
  step?: number;
}

/** Removes what has expired and what crashes left behind: a little at a time, now and then. */
export interface Sweep {
  start(): void;
  /** One round. Resolves when nothing is left to do. */
  run(): Promise<void>;
  /** Idempotent; waits for the step under way. */
  stop(): Promise<void>;
}

const pauseMs = 20;

export function createSweep(options: SweepOptions): Sweep {
  const { store, keyValues, blobs, writing, clock, log } = options;
  const step = options.step ?? 100;
  const intervalMs = options.intervalMs ?? 15 * 60_000;
  const ending = new AbortController();
  let timer: Timer | undefined;
  let running: Promise<void> | null = null;

  /** @returns false when nothing was left to do. */
  const removeExpired = async (): Promise<boolean> => {
    const numbers = await store.listExpired(clock.nowMs(), step);
    for (const number of numbers) await store.remove(number);
    return numbers.length > 0;
  };

  let after = 0;
  const deleteLeftovers = async (): Promise<boolean> => {
    // What was being written when the question was asked may have become part of an object since.
    const busy = new Set(writing);
    const leftovers = await store.listLeftovers(after, step);
    const idle = leftovers.map(({ blob }) => blob).filter((blob) => !busy.has(blob) && !writing.has(blob));
    for (const blob of idle) await blobs.delete(blob);
    if (idle.length > 0) await store.forgetLeftovers(idle);
    after = leftovers.length < step ? 0 : leftovers.at(-1)!.number;
    return after > 0;
  };

  const work = async (): Promise<void> => {
    after = 0;
    for (const task of [
      removeExpired,
      async () => (await keyValues.removeExpired(clock.nowMs(), step)) > 0,
      deleteLeftovers,
    ]) {
      while (!ending.signal.aborted && (await task())) await clock.sleep(pauseMs, ending.signal);
    }
  };

  /** One after the other: a round that is asked for sees everything that was over when it was asked for. */
  const run = (): Promise<void> => {
    const before = running?.catch(() => undefined) ?? Promise.resolve();
    const round = before.then(work).finally(() => {
      if (running === round) running = null;
    });
    running = round;
    return round;
  };

  const arm = (): void => {
    if (ending.signal.aborted) return;
    timer = clock.setTimer(intervalMs, () => {
      run()
        .catch((error: unknown) => {
          if (!ending.signal.aborted) log.error({ err: error }, 'expired files could not be removed');
        })
        .finally(arm);
    });
  };

  return {
    start: arm,
    run,
    async stop() {
      ending.abort();
      timer?.cancel();
      await running?.catch(() => undefined);
    },
  };
}
