import type { Clock } from '@lanner/protocol';
import type { AccessRecord } from '../access-log.ts';
import { BoundedLabels } from './bounded-labels.ts';
import { MetricsRegistry, type Sample } from './metrics-registry.ts';

/** Apps that are told apart; see {@link BoundedLabels}. */
const mostApps = 200;
const secondsBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];
const cacheMs = 2_000;

/** What is asked when somebody reads. */
export interface MetricsSources {
  /** What waits and runs in the queue, by `owner/app`. */
  queue(): Iterable<{ appId: string; waiting: number; oldestSubmittedAtMs: number | null; running: number }>;
  /** Every runner there is. */
  runners(): Promise<Iterable<{ appId: string; state: string }>>;
  /** Webhooks that are not delivered yet. */
  webhooks(): Promise<{ pending: number; oldestAtMs: number | null }>;
}

/** What is counted as it happens. Every method is a few look-ups in maps. */
export interface PlatformMetrics {
  /** A call of the data plane is over. */
  call(record: Pick<AccessRecord, 'role' | 'app' | 'status' | 'totalMs' | 'waitMs'>): void;
  /** A queued request begins for the first time. */
  queueWait(appId: string, waitedMs: number): void;
  /** @param outcome `answered`, or why there was no answer. */
  attempt(appId: string, outcome: string, durationMs: number, isRepeated: boolean): void;
  requestEnded(appId: string, status: number): void;
  /** @param state what follows: `delivered`, `failed`, or `pending` for one that is repeated. */
  webhookAttempt(state: 'delivered' | 'failed' | 'pending'): void;
  /** Prometheus text. Read again within two seconds it is the same text. */
  render(sources: MetricsSources): Promise<string>;
}

/**
 * The metrics of one server (docs/metrics.md). Nothing happens while nobody calls and nobody reads.
 * @param isDeployed whether an `owner/app` is there to stay; asked for names that were not seen yet.
 */
export function createPlatformMetrics(
  clock: Pick<Clock, 'nowMs' | 'monotonicMs'>,
  isDeployed: (appId: string) => boolean,
): PlatformMetrics {
  const registry = new MetricsRegistry();
  const apps = new BoundedLabels(mostApps, isDeployed, (name) => registry.forget('app', name));
  let sources: MetricsSources | null = null;
  /** Asked once for all that is read at a time. */
  let backlog: ReturnType<MetricsSources['webhooks']> | null = null;
  let rendered: { atMs: number; text: Promise<string> } | null = null;

  const calls = registry.counter(
    'lanner_gateway_requests_total',
    'Calls of the data plane that are over, by app (empty: no app of that name), role and class of the status.',
    ['app', 'role', 'status'],
  );
  const callSeconds = registry.histogram(
    'lanner_gateway_request_duration_seconds',
    'From the arrival of a call to its end.',
    ['role'],
    secondsBounds,
  );
  const slotSeconds = registry.histogram(
    'lanner_gateway_runner_wait_seconds',
    'How long calls on a connection waited for a runner.',
    ['role'],
    secondsBounds,
  );
  const queueSamples = (value: (entry: QueueEntry) => number | null) => (): Sample[] =>
    byApp(sources?.queue() ?? [], apps, value);
  registry.gauge(
    'lanner_queue_requests_waiting',
    'Queued requests in line.',
    ['app'],
    queueSamples(({ waiting }) => waiting),
  );
  registry.gauge(
    'lanner_queue_requests_running',
    'Queued requests that a runner works on.',
    ['app'],
    queueSamples(({ running }) => running),
  );
  registry.gauge('lanner_queue_oldest_wait_seconds', 'How long the oldest request in line has waited.', ['app'], () => {
    const nowMs = clock.nowMs();
    return byApp(
      sources?.queue() ?? [],
      apps,
      ({ oldestSubmittedAtMs: at }) => (at === null ? null : Math.max(0, nowMs - at) / 1000),
      Math.max,
    );
  });
  const queueSeconds = registry.histogram(
    'lanner_queue_wait_seconds',
    'From the submission of a request to its first attempt.',
    ['app'],
    secondsBounds,
  );
  const executionSeconds = registry.histogram(
    'lanner_queue_execution_seconds',
    'How long attempts took in the app.',
    ['app'],
    secondsBounds,
  );
  const attempts = registry.counter('lanner_queue_attempts_total', 'Attempts that are over, by what came of them.', [
    'app',
    'outcome',
  ]);
  const retries = registry.counter('lanner_queue_retries_total', 'Attempts that were followed by another one.', [
    'app',
  ]);
  const ends = registry.counter(
    'lanner_queue_requests_ended_total',
    'Queued requests that ended, by class of the status.',
    ['app', 'status'],
  );
  const webhookAttempts = registry.counter(
    'lanner_webhook_attempts_total',
    'Attempts to deliver webhooks: delivered, repeated later, or given up.',
    ['result'],
  );
  registry.gauge('lanner_webhooks_pending', 'Webhooks that are not delivered yet.', [], async () => [
    { labels: [], value: (await backlog)?.pending ?? 0 },
  ]);
  registry.gauge(
    'lanner_webhook_oldest_pending_seconds',
    'Age of the oldest webhook that is not delivered yet.',
    [],
    async () => {
      const at = (await backlog)?.oldestAtMs ?? null;
      return [{ labels: [], value: at === null ? 0 : Math.max(0, clock.nowMs() - at) / 1000 }];
    },
  );
  registry.gauge('lanner_runners', 'Runners by app and state.', ['app', 'state'], async () => {
    const counts = new Map<string, Sample & { value: number }>();
    for (const { appId, state } of (await sources?.runners()) ?? []) {
      const labels = [apps.of(appId), state];
      const sample = counts.get(labels.join('\n'));
      if (sample === undefined) counts.set(labels.join('\n'), { labels, value: 1 });
      else sample.value += 1;
    }
    return [...counts.values()];
  });
  addProcessMetrics(registry, clock);

  return {
    call({ role, app, status, totalMs, waitMs }) {
      calls.add([app === undefined ? '' : apps.of(app), role, toClass(status)]);
      callSeconds.observe([role], totalMs / 1000);
      if (waitMs !== undefined) slotSeconds.observe([role], waitMs / 1000);
    },
    queueWait: (appId, waitedMs) => queueSeconds.observe([apps.of(appId)], Math.max(0, waitedMs) / 1000),
    attempt(appId, outcome, durationMs, isRepeated) {
      const app = apps.of(appId);
      attempts.add([app, outcome]);
      executionSeconds.observe([app], durationMs / 1000);
      if (isRepeated) retries.add([app]);
    },
    requestEnded: (appId, status) => ends.add([apps.of(appId), toClass(status)]),
    webhookAttempt: (state) => webhookAttempts.add([state === 'pending' ? 'repeated' : state]),
    render(given) {
      sources = given;
      const nowMs = clock.monotonicMs();
      if (rendered === null || nowMs - rendered.atMs > cacheMs) {
        backlog = given.webhooks();
        const text = registry.render();
        rendered = { atMs: nowMs, text };
        // A failure is not to be repeated for two seconds.
        text.catch(() => (rendered = null));
      }
      return rendered.text;
    },
  };
}

type QueueEntry = ReturnType<MetricsSources['queue']> extends Iterable<infer Entry> ? Entry : never;

function byApp(
  entries: Iterable<QueueEntry>,
  apps: BoundedLabels,
  value: (entry: QueueEntry) => number | null,
  join: (a: number, b: number) => number = (a, b) => a + b,
): Sample[] {
  const values = new Map<string, number>();
  for (const entry of entries) {
    const found = value(entry);
    if (found === null) continue;
    const app = apps.of(entry.appId);
    const before = values.get(app);
    values.set(app, before === undefined ? found : join(before, found));
  }
  return [...values].map(([app, found]) => ({ labels: [app], value: found }));
}

/** `2xx` and so on; 101 of a socket is `1xx`. */
function toClass(status: number): string {
  return status >= 100 && status < 600 ? `${Math.floor(status / 100)}xx` : 'none';
}

/** The names that dashboards of every Prometheus client know. */
function addProcessMetrics(registry: MetricsRegistry, clock: Pick<Clock, 'nowMs'>): void {
  const startedAtSeconds = clock.nowMs() / 1000 - process.uptime();
  const one = (value: () => number) => (): Sample[] => [{ labels: [], value: value() }];
  registry.gauge(
    'process_cpu_seconds_total',
    'User and system CPU time of the server.',
    [],
    one(() => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    }),
    'counter',
  );
  registry.gauge(
    'process_resident_memory_bytes',
    'Memory of the server.',
    [],
    one(() => process.memoryUsage.rss()),
  );
  registry.gauge(
    'process_start_time_seconds',
    'When the server started.',
    [],
    one(() => startedAtSeconds),
  );
}
