import type { Clock, ExitReason, StartRunnerRequest } from '@lanner/protocol';
import { waitUntilReady, watchHealth } from './readiness.ts';
import { reportStartupProgress } from './startup-progress.ts';

export interface StartupWatch {
  request: Pick<StartRunnerRequest, 'healthCheck' | 'startupTimeoutMs'>;
  address: string;
  /** Where the app is to listen. */
  port: number;
  clock: Clock;
  /** The bridge reported that the port is open. */
  listening: Promise<void>;
  /** Aborted when the runner is to end, for whatever reason: nothing is told after it. */
  signal: AbortSignal;
  /** False: the runner was ending already. */
  onReady: () => boolean;
  /** It did not become ready in time, or later failed its health check. */
  onEnd: (reason: ExitReason, message: string) => void;
  /** A line for whoever waits. */
  say: (line: string) => void;
  onError: (error: unknown) => void;
}

/** Follows an app from its start: progress lines, startup timeout, readiness, then its regular health checks. */
export async function watchStartup(watch: StartupWatch): Promise<void> {
  const { address, port, clock, signal } = watch;
  const { healthCheck, startupTimeoutMs } = watch.request;
  const startedAtMs = clock.monotonicMs();
  let waitsFor = '';
  const progress = reportStartupProgress({
    clock,
    timeoutMs: startupTimeoutMs,
    waitsFor: () => waitsFor,
    say: watch.say,
  });
  const timeout = clock.setTimer(startupTimeoutMs, () => {
    const seconds = Math.round(startupTimeoutMs / 1000);
    watch.onEnd('startup_timeout', `The app was not ready within ${seconds} s: ${waitsFor}.`);
  });
  const silence = (): void => {
    progress.cancel();
    timeout.cancel();
  };
  signal.addEventListener('abort', silence, { once: true });
  const target = { address, port, clock, signal };
  const onWait = (clause: string): void => {
    waitsFor = clause;
  };
  try {
    await waitUntilReady({ ...target, healthCheck, listening: watch.listening, onWait });
    silence();
    if (!watch.onReady() || healthCheck?.callRegularly !== true) return;
    const problem = await watchHealth({ ...target, healthCheck, startedAtMs });
    watch.onEnd('unhealthy', `The health check failed: ${problem}.`);
  } catch (error) {
    if (!signal.aborted) watch.onError(error);
  }
}
