/**
 * Every call takes these.
 *
 * @example
 * ```ts
 * const options: CallOptions = { signal: AbortSignal.timeout(5_000), timeoutMs: 5_000 };
 * ```
 */
export interface CallOptions {
  /** Ends the call; what the server has begun may still happen. */
  signal?: AbortSignal | undefined;
  /** Longest wait for the whole call, in milliseconds. Default: as long as it takes. */
  timeoutMs?: number | undefined;
}

/**
 * A call that changes or reads something inside one deployment environment.
 *
 * @example
 * ```ts
 * const options: EnvironmentCallOptions = { environmentName: 'staging', timeoutMs: 5_000 };
 * ```
 */
export interface EnvironmentCallOptions extends CallOptions {
  /** Deployment environment. Default `main`. */
  environmentName?: string | undefined;
}
