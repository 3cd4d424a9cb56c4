import { isLannerError, type AttemptOrder, type Clock, type LannerError } from '@lanner/protocol';
import type { Blobs } from '../../blobs/blobs.ts';
import type { Logger } from '../../observe/logger.ts';
import type { StoredInput } from '../../queue/request-store.ts';
import type { RunnerDriver } from '../../runners/runner-driver.ts';
import type { Slot } from '../../scheduler/dispatcher.ts';
import { internal } from './attempt-ends.ts';
import { openBody } from './bodies.ts';

const resendMs = 200;

/**
 * Hands an attempt to the supervisor, however often it takes: the same order again changes nothing there.
 *
 * @returns `runner-gone`: nothing was sent. `supervisor-gone`: it may have been, by a supervisor that is no more.
 * `stopping`: not known; the next server will see. An error: the order cannot be given.
 */
export async function orderAttempt(
  deps: { driver: RunnerDriver; blobs: Blobs; clock: Clock; log: Logger },
  attempt: {
    lease: string;
    requestNumber: number;
    attemptNumber: number;
    slot: Slot;
    input: StoredInput;
    generation: string | null;
    timeoutMs: number;
    signal: AbortSignal;
  },
): Promise<'sent' | 'runner-gone' | 'supervisor-gone' | 'stopping' | LannerError> {
  const { driver, blobs, clock, log } = deps;
  const { lease, requestNumber, attemptNumber, slot, input, generation, timeoutMs, signal } = attempt;
  const { method, path, headers, body } = input;
  const order: AttemptOrder = {
    ...{ attemptId: lease, requestNumber, attemptNumber, port: slot.port },
    ...{ method, path, headers, bodyBytes: body.sizeBytes, timeoutMs },
  };
  for (;;) {
    try {
      await driver.startAttempt(slot.runnerId, order, await openBody(blobs, body));
      return 'sent';
    } catch (error) {
      if (signal.aborted) return 'stopping';
      const code = isLannerError(error) ? error.code : null;
      if (code === 'runner_not_found') return 'runner-gone';
      if (code !== 'supervisor_unavailable') {
        log.error({ err: error, lease }, 'an attempt could not be ordered');
        return isLannerError(error) ? error : internal();
      }
      if (driver.generation !== null && driver.generation !== generation) return 'supervisor-gone';
      await clock.sleep(resendMs, signal).catch(() => undefined);
      if (signal.aborted) return 'stopping';
    }
  }
}
