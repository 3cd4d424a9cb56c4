import type { Clock, HealthCheck } from '@lanner/protocol';
import { probeHealth, type HealthAnswer } from './probe-health.ts';
import { canConnect, isListening } from './tcp-listener.ts';

export interface ReadinessOptions {
  address: string;
  port: number;
  healthCheck: HealthCheck | undefined;
  clock: Clock;
  /** The bridge reported that the port is open; resolves never when it does not. */
  listening: Promise<void>;
  signal: AbortSignal;
  /** Told what readiness waits for each time that changes, as a clause: "nothing listens on port 8080". */
  onWait?: (waitsFor: string) => void;
}

const pollMs = 50;
const connectTimeoutMs = 1000;
const firstHealthPauseMs = 25;
const longestHealthPauseMs = 500;
const regularIntervalMs = 15_000;

/**
 * Resolves when the app's port is open and, where a health check is declared, answers it well. Without one an open
 * port is enough: functions often have no `/health` (grpc-controller 5.7).
 * @throws the signal's reason when aborted first.
 */
export async function waitUntilReady(options: ReadinessOptions): Promise<void> {
  options.onWait?.(`nothing listens on port ${options.port}`);
  await waitForPort(options);
  if (options.healthCheck === undefined) return;
  let pauseMs = firstHealthPauseMs;
  for (;;) {
    const answer = await askOnce(options, options.healthCheck);
    options.signal.throwIfAborted();
    if (answer.isHealthy) return;
    options.onWait?.(`the health check failed: ${answer.problem}`);
    await options.clock.sleep(pauseMs, options.signal);
    pauseMs = Math.min(longestHealthPauseMs, pauseMs * 2);
  }
}

/**
 * Asks a ready app every 15 s for its health. Resolves with what was seen once `failureThreshold` answers in a row were
 * bad; failures within `startPeriodMs` of `startedAtMs` (monotonic) do not count.
 * @throws the signal's reason when aborted.
 */
export async function watchHealth(
  options: Omit<ReadinessOptions, 'listening' | 'healthCheck'> & { healthCheck: HealthCheck; startedAtMs: number },
): Promise<string> {
  const { healthCheck, clock } = options;
  let failures = 0;
  for (;;) {
    await clock.sleep(regularIntervalMs, options.signal);
    const answer = await askOnce(options, healthCheck);
    options.signal.throwIfAborted();
    const isYoung = clock.monotonicMs() - options.startedAtMs < healthCheck.startPeriodMs;
    if (answer.isHealthy) failures = 0;
    else if (!isYoung) failures += 1;
    if (!answer.isHealthy && failures >= healthCheck.failureThreshold) return answer.problem;
  }
}

async function waitForPort(options: ReadinessOptions): Promise<void> {
  const { clock, signal } = options;
  let isReported = false;
  const reported = options.listening.then(() => {
    isReported = true;
  });
  for (;;) {
    signal.throwIfAborted();
    // Where the kernel does not hand over `listen`, only Python's sockets are reported: the poll finds the others.
    if (isReported || (await isOpen(options))) return;
    await Promise.race([clock.sleep(pollMs, signal), reported]);
  }
}

async function isOpen({ address, port }: ReadinessOptions): Promise<boolean> {
  return (await isListening(address, port, connectTimeoutMs)) && canConnect(address, port, connectTimeoutMs);
}

function askOnce(
  options: Pick<ReadinessOptions, 'address' | 'port' | 'clock' | 'signal'>,
  healthCheck: HealthCheck,
): Promise<HealthAnswer> {
  return probeHealth(
    {
      address: options.address,
      port: options.port,
      path: healthCheck.path,
      timeoutMs: healthCheck.timeoutMs,
      clock: options.clock,
      ...(healthCheck.method === undefined ? {} : { method: healthCheck.method }),
    },
    options.signal,
  );
}
