import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { createVirtualClock, type VirtualClock } from '../../lib/virtual-clock.ts';
import { createPlatformMetrics, type MetricsSources, type PlatformMetrics } from './platform-metrics.ts';

const nothing: MetricsSources = {
  queue: () => [],
  runners: async () => [],
  webhooks: async () => ({ pending: 0, oldestAtMs: null }),
};

/** Lines of one metric. */
const linesOf = (text: string, name: string): string[] =>
  text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));

describe('metrics of the platform', () => {
  let clock: VirtualClock;
  let metrics: PlatformMetrics;
  let deleted: Set<string>;
  beforeEach(() => {
    clock = createVirtualClock();
    deleted = new Set();
    metrics = createPlatformMetrics(clock, (appId) => !deleted.has(appId) && !appId.startsWith('run/'));
  });

  it('are Prometheus text: each with its help, its type and samples one a line', async () => {
    metrics.call({ role: 'run', app: 'a/b', status: 200, totalMs: 30, waitMs: 4 });
    const text = await metrics.render(nothing);
    assert.ok(text.endsWith('\n'));
    for (const line of text.trimEnd().split('\n')) {
      assert.match(line, /^(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? (\d|\+Inf|NaN).*)$/);
    }
    const names = [...text.matchAll(/^# TYPE (\w+) /gm)].map((match) => match[1]);
    assert.equal(new Set(names).size, names.length);
    assert.equal(timersOf(clock), 0);
  });

  it('count calls by app, role and class of the status, and sort their time into buckets', async () => {
    for (const status of [200, 204, 404]) metrics.call({ role: 'run', app: 'a/b', status, totalMs: 30 });
    metrics.call({ role: 'queue', app: undefined, status: 401, totalMs: 1 });
    const text = await metrics.render(nothing);
    assert.deepEqual(linesOf(text, 'lanner_gateway_requests_total'), [
      'lanner_gateway_requests_total{app="a/b",role="run",status="2xx"} 2',
      'lanner_gateway_requests_total{app="a/b",role="run",status="4xx"} 1',
      'lanner_gateway_requests_total{app="",role="queue",status="4xx"} 1',
    ]);
    const buckets = linesOf(text, 'lanner_gateway_request_duration_seconds_bucket').filter((line) =>
      line.includes('"run"'),
    );
    assert.match(
      buckets.find((line) => line.includes('le="0.025"'))!,
      / 0$/,
    );
    assert.match(
      buckets.find((line) => line.includes('le="0.05"'))!,
      / 3$/,
    );
    assert.match(buckets.at(-1)!, /le="\+Inf"\} 3$/);
    assert.match(linesOf(text, 'lanner_gateway_request_duration_seconds_sum')[0]!, / 0\.09$/);
  });

  it('tell what waits and runs, the oldest wait, attempts, webhooks and runners', async () => {
    metrics.queueWait('a/b', 200);
    metrics.attempt('a/b', 'answered', 1_500, false);
    metrics.attempt('a/b', 'disconnected', 0, true);
    metrics.requestEnded('a/b', 504);
    metrics.webhookAttempt('pending');
    metrics.webhookAttempt('delivered');
    const text = await metrics.render({
      queue: () => [
        { appId: 'a/b', waiting: 3, oldestSubmittedAtMs: clock.nowMs() - 9_000, running: 0 },
        { appId: 'a/b', waiting: 1, oldestSubmittedAtMs: clock.nowMs() - 2_000, running: 0 },
        { appId: 'a/b', waiting: 0, oldestSubmittedAtMs: null, running: 1 },
      ],
      runners: async () => [
        { appId: 'a/b', state: 'IDLE' },
        { appId: 'a/b', state: 'IDLE' },
        { appId: 'a/c', state: 'SETUP' },
      ],
      webhooks: async () => ({ pending: 7, oldestAtMs: clock.nowMs() - 5_000 }),
    });
    const expected: Record<string, string[]> = {
      lanner_queue_requests_waiting: ['{app="a/b"} 4'],
      lanner_queue_requests_running: ['{app="a/b"} 1'],
      lanner_queue_oldest_wait_seconds: ['{app="a/b"} 9'],
      lanner_queue_wait_seconds_count: ['{app="a/b"} 1'],
      lanner_queue_execution_seconds_sum: ['{app="a/b"} 1.5'],
      lanner_queue_attempts_total: ['{app="a/b",outcome="answered"} 1', '{app="a/b",outcome="disconnected"} 1'],
      lanner_queue_retries_total: ['{app="a/b"} 1'],
      lanner_queue_requests_ended_total: ['{app="a/b",status="5xx"} 1'],
      lanner_webhook_attempts_total: ['{result="repeated"} 1', '{result="delivered"} 1'],
      lanner_webhooks_pending: [' 7'],
      lanner_webhook_oldest_pending_seconds: [' 5'],
      lanner_runners: ['{app="a/b",state="IDLE"} 2', '{app="a/c",state="SETUP"} 1'],
    };
    for (const [name, samples] of Object.entries(expected)) {
      assert.deepEqual(
        linesOf(text, name),
        samples.map((sample) => `${name}${sample}`),
      );
    }
  });

  it('tell 200 apps apart and no more', async () => {
    for (let at = 0; at < 1_000; at += 1) metrics.requestEnded(`owner/app-${at}`, 200);
    const lines = linesOf(await metrics.render(nothing), 'lanner_queue_requests_ended_total');
    assert.equal(lines.length, 201);
    assert.equal(lines.at(-1), 'lanner_queue_requests_ended_total{app="other",status="2xx"} 800');
  });

  it('give the label of an app that is gone to another, and none to what lives as long as a command', async () => {
    for (let at = 0; at < 200; at += 1) metrics.requestEnded(`owner/app-${at}`, 200);
    metrics.queueWait('owner/app-7', 1);
    deleted.add('owner/app-7');
    for (let at = 0; at < 3; at += 1) metrics.requestEnded(`run/${at}`, 200);
    metrics.requestEnded('owner/new', 200);
    const text = await metrics.render(nothing);
    const lines = linesOf(text, 'lanner_queue_requests_ended_total');
    assert.equal(lines.length, 201);
    assert.deepEqual(lines.slice(-2), [
      'lanner_queue_requests_ended_total{app="ephemeral",status="2xx"} 3',
      'lanner_queue_requests_ended_total{app="owner/new",status="2xx"} 1',
    ]);
    assert.ok(!text.includes('owner/app-7"'));
  });

  it('are read anew after two seconds, and again at once after a failure', async () => {
    let asked = 0;
    const sources = { ...nothing, webhooks: async () => ({ pending: (asked += 1), oldestAtMs: null }) };
    await Promise.all([metrics.render(sources), metrics.render(sources)]);
    assert.equal(asked, 1);
    await clock.advance(2_001);
    assert.match(await metrics.render(sources), /lanner_webhooks_pending 2/);
    await clock.advance(2_001);
    await assert.rejects(metrics.render({ ...nothing, runners: () => Promise.reject(new Error('no')) }));
    assert.match(await metrics.render(nothing), /lanner_webhooks_pending 0/);
  });

  it('spell out what would break a line', async () => {
    metrics.requestEnded('a"\\\n/b', 200);
    assert.match(await metrics.render(nothing), /ended_total\{app="a\\"\\\\\\n\/b",status="2xx"\} 1\n/);
  });
});

const timersOf = (clock: VirtualClock): number => clock.pendingTimers;
