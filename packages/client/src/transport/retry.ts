import type { CallOptions } from './call-options.ts';
import { sleep } from './sleep.ts';

/** When and how often a call is repeated. */
export interface RetryPolicy {
  /** All tries, the first one included. */
  attempts: number;
  firstDelayMs: number;
  longestDelayMs: number;
  /** Random part of each wait, 0 (none) to 1. */
  jitter: number;
  shouldRetry(error: unknown): boolean;
}

/** Runs until it succeeds, the policy ends, or the signal fires; throws the last error. */
export async function withRetries<T>(
  policy: RetryPolicy,
  signal: AbortSignal | undefined,
  run: () => Promise<T>,
): Promise<T> {
  let delayMs = policy.firstDelayMs;
  for (let attempt = 1; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      if (attempt >= policy.attempts || signal?.aborted || !policy.shouldRetry(error)) throw error;
      const wait = Math.min(delayMs, policy.longestDelayMs) * (1 - policy.jitter + 2 * policy.jitter * Math.random());
      const stopped = await sleep(wait, signal).then(
        () => false,
        () => true,
      );
      if (stopped) throw error;
      delayMs *= 2;
    }
  }
}

/**
 * As {@link withRetries}, for a call whose `timeoutMs` is for all tries and the waits between them.
 * @param run is told what is left of the time
 */
export async function retryCall<T>(
  policy: RetryPolicy,
  { signal, timeoutMs }: CallOptions,
  run: (left: CallOptions) => Promise<T>,
): Promise<T> {
  if (timeoutMs === undefined) return withRetries(policy, signal, () => run({ signal }));
  const endsMs = performance.now() + timeoutMs;
  const leftMs = (): number => Math.ceil(endsMs - performance.now());
  const timeout = AbortSignal.timeout(timeoutMs);
  const either = signal ? AbortSignal.any([signal, timeout]) : timeout;
  return withRetries(policy, either, () => run({ signal, timeoutMs: Math.max(leftMs(), 1) }));
}
