import type { Clock } from '@lanner/protocol';
import type { Blobs } from '../../blobs/blobs.ts';
import type { Logger } from '../../observe/logger.ts';
import type { RequestStore } from '../../queue/request-store.ts';

const everyMs = 60_000;
const stepsAtOnce = 20;
const rowsPerStep = 100;

/** Removes results older than `retentionMs`, in small steps so that nobody waits for it, until the signal aborts. */
export async function sweepResults(
  deps: { store: RequestStore; blobs: Blobs; clock: Clock; log: Logger; retentionMs: number },
  signal: AbortSignal,
): Promise<void> {
  const { store, blobs, clock, log, retentionMs } = deps;
  while (!signal.aborted) {
    try {
      for (let step = 0; step < stepsAtOnce; step += 1) {
        const { removed, blobs: unused } = await store.sweep(clock.nowMs() - retentionMs, rowsPerStep);
        for (const blob of unused) await blobs.delete(blob);
        if (removed < rowsPerStep || signal.aborted) break;
      }
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, 'old results could not be removed');
    }
    await clock.sleep(everyMs, signal).catch(() => undefined);
  }
}
