import type { Clock } from '@lanner/protocol';
import type { Logger } from '../../observe/logger.ts';

const storeRetryMs = 1_000;

/** Repeats a write until it succeeds; false when `signal` fires before. `onFailure` is called after every try that fails. */
export async function persist(
  deps: { clock: Clock; log: Logger; signal: AbortSignal },
  requestId: string,
  write: () => Promise<unknown>,
  onFailure?: () => void,
): Promise<boolean> {
  for (;;) {
    try {
      await write();
      return true;
    } catch (error) {
      if (deps.signal.aborted) return false;
      onFailure?.();
      deps.log.error({ err: error, requestId }, 'the queue could not be written; it is tried again');
      await deps.clock.sleep(storeRetryMs, deps.signal).catch(() => undefined);
      if (deps.signal.aborted) return false;
    }
  }
}
