import type { Clock } from '@lanner/protocol';
import type { Blobs } from '../../blobs/blobs.ts';
import type { Logger } from '../../observe/logger.ts';
import type { PayloadStore } from '../../queue/payload-store.ts';
import type { RequestStore } from '../../queue/request-store.ts';
import type { DeliveryStore } from '../../webhooks/delivery-store.ts';

/** How long things are kept after the end of a request. */
export interface Retention {
  /** Everything: after it the request is unknown. */
  resultsMs: number;
  /** Input and output. */
  payloadsMs: number;
  /** Input and output of requests with `X-Fal-Store-IO: 0`: long enough to fetch and deliver the result. */
  briefMs: number;
}

const dayMs = 24 * 60 * 60 * 1000;
/** Data-plane 3.5: thirty days, and about an hour where nothing is to be stored. */
export const defaultRetention: Retention = { resultsMs: 30 * dayMs, payloadsMs: 30 * dayMs, briefMs: 60 * 60 * 1000 };

const everyMs = 60_000;
const stepsAtOnce = 20;
const rowsPerStep = 100;

/** Removes what is older than the retention, in small steps so that nobody waits for it, until the signal aborts. */
export async function sweepResults(
  deps: {
    store: Pick<RequestStore, 'sweep'>;
    payloads: Pick<PayloadStore, 'sweepPayloads' | 'listGarbage' | 'forgetGarbage'>;
    deliveries: Pick<DeliveryStore, 'sweep'>;
    blobs: Pick<Blobs, 'delete'>;
    clock: Clock;
    log: Logger;
    retention: Retention;
  },
  signal: AbortSignal,
): Promise<void> {
  const { store, payloads, deliveries, clock, log, retention } = deps;
  const steps = [
    () => store.sweep(clock.nowMs() - retention.resultsMs, rowsPerStep),
    () => deliveries.sweep(clock.nowMs() - retention.resultsMs, rowsPerStep),
    () =>
      payloads.sweepPayloads(
        { keptBeforeMs: clock.nowMs() - retention.payloadsMs, briefBeforeMs: clock.nowMs() - retention.briefMs },
        rowsPerStep,
      ),
    () => removeGarbage(deps),
  ];
  while (!signal.aborted) {
    for (const step of steps) {
      try {
        for (let count = 0; count < stepsAtOnce && !signal.aborted; count += 1) if ((await step()) < rowsPerStep) break;
      } catch (error) {
        if (!signal.aborted) log.warn({ err: error }, 'old results could not be removed');
      }
    }
    await clock.sleep(everyMs, signal).catch(() => undefined);
  }
}

async function removeGarbage(deps: {
  payloads: Pick<PayloadStore, 'listGarbage' | 'forgetGarbage'>;
  blobs: Pick<Blobs, 'delete'>;
}): Promise<number> {
  const blobs = await deps.payloads.listGarbage(rowsPerStep);
  if (blobs.length === 0) return 0;
  for (const blob of blobs) await deps.blobs.delete(blob);
  await deps.payloads.forgetGarbage(blobs);
  return blobs.length;
}
