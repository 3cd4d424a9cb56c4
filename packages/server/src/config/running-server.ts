/** A started platform, as `startServer` of this package returns it. */
export interface RunningServer {
  /** Real port of the TLS port. */
  tlsPort: number;
  /** Real port of the clear-text port. */
  httpPort: number;
  /** Nickname of the first account. */
  account: string;
  /**
   * Ends the platform: no new work, what is in flight may finish for `graceMs`, then everything is closed. The
   * supervisor and its runners end too unless `leaveSupervisor`. Idempotent; a second call may shorten the grace.
   */
  stop(options: { graceMs: number; leaveSupervisor?: boolean }): Promise<void>;
}
