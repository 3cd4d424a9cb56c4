import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { LannerError } from '@lanner/protocol';
import { startApiServer, type ApiServer } from '../testing/api-server.ts';
import { collect } from '../testing/assert-status.ts';
import { aDeploy } from '../testing/requests.ts';
import { answerOf, refusal } from '../testing/rest-answers.ts';
import { aLogLine, aRunnerView } from '../testing/scripted-fleet.ts';

describe('REST: runners, logs, metrics', () => {
  let server: ApiServer;
  before(async () => {
    server = await startApiServer();
    const { accountId } = server.account;
    server.fleet.runners = [
      aRunnerView({ accountId }),
      aRunnerView({ accountId, runnerId: 'runner-2', machineType: 'GPU-H100', aliasName: 'big' }),
      aRunnerView({ accountId, runnerId: 'runner-3', endedAtMs: 1_700_000_009_000, state: 'TERMINATED' }),
      aRunnerView({ accountId: 'other', runnerId: 'runner-4', machineType: 'GPU-H100' }),
    ];
  });
  after(() => server.stop());

  it('tells when a runner lived, ended ones too', async () => {
    const { body } = await answerOf(await server.fetch('/runners/runner-3'));
    assert.equal((body as { started_at: string }).started_at, '2023-11-14T22:13:20.000000+00:00');
    assert.equal((body as { ended_at: string }).ended_at, '2023-11-14T22:13:29.000000+00:00');
    const live = await answerOf(await server.fetch('/runners/runner-1'));
    assert.equal((live.body as { ended_at: null }).ended_at, null);
    await refusal(await server.fetch('/runners/runner-4'), 404, /"runner-4" not found/);
  });

  it('pages through the log of a runner', async () => {
    const start = 1_700_000_000_000;
    server.logLines.push(...[5, 4, 3, 2, 1].map((number) => aLogLine(`line ${number}`, { atMs: start + number })));
    const history = (query: Record<string, string>) =>
      server.fetch(`/logs/history?${new URLSearchParams({ job_id: 'runner-1', ...query }).toString()}`, {
        method: 'POST',
      });
    const told: string[] = [];
    let until: string | null = null;
    do {
      const { body } = await answerOf(await history({ page_size: '2', ...(until === null ? {} : { until }) }));
      const page = body as {
        items: { message: string; timestamp: string; level: string }[];
        next_until: string | null;
      };
      assert.ok(page.items.every((item) => item.level === 'stdout' && item.timestamp.endsWith('+00:00')));
      told.push(...page.items.map((item) => item.message));
      until = page.next_until;
    } while (until !== null);
    assert.deepEqual(told, ['line 5', 'line 4', 'line 3', 'line 2', 'line 1']);
    const found = await answerOf(await history({ search: 'LINE 3' }));
    assert.deepEqual(
      (found.body as { items: { message: string }[] }).items.map((item) => item.message),
      ['line 3'],
    );
    const bad = await answerOf(await history({ since: 'yesterday' }));
    assert.equal(bad.status, 422);
    assert.deepEqual((bad.body as { detail: { loc: unknown }[] }).detail[0]?.loc, ['query', 'since']);
    await answerOf(await server.fetch('/logs/history', { method: 'POST' })).then(({ status }) =>
      assert.equal(status, 422),
    );
  });

  it('has an empty log for a runner that printed nothing', async () => {
    const { read } = server.runnerLogs;
    server.runnerLogs.read = async () => {
      throw new LannerError('runner_not_found', 'No logs.');
    };
    const history = (id: string) => server.fetch(`/logs/history?job_id=${id}`, { method: 'POST' });
    assert.deepEqual((await answerOf(await history('runner-2'))).body, { items: [], next_until: null });
    await refusal(await history('runner-9'), 404, /No logs/);
    server.runnerLogs.read = read;
  });

  it('follows a log until its runner has ended, each line once', async () => {
    const [runner] = server.fleet.runners;
    assert.ok(runner);
    const start = Date.now();
    server.logLines.splice(0, Infinity, aLogLine('b', { atMs: start }), aLogLine('a', { atMs: start }));
    const response = await server.fetch('/logs/stream?job_id=runner-1', { method: 'POST' });
    assert.equal(response.headers.get('content-type'), 'text/event-stream');
    let text = '';
    const messages = (): string[] =>
      [...text.matchAll(/^data: (.*)$/gm)].map((match) => (JSON.parse(match[1]!) as { message: string }).message);
    for await (const chunk of response.body!) {
      text += Buffer.from(chunk as Uint8Array).toString();
      if (messages().length === 2 && server.logLines.length === 2) {
        server.logLines.unshift(aLogLine('d', { atMs: start + 1 }), aLogLine('c', { atMs: start }));
      }
      if (messages().length === 4) runner.endedAtMs = start + 2;
    }
    runner.endedAtMs = null;
    assert.deepEqual(messages(), ['a', 'b', 'c', 'd']);
  });

  it('reports the problems of a log stream as an event', async () => {
    for (const query of ['', '?job_id=runner-1&since=yesterday']) {
      const response = await server.fetch(`/logs/stream${query}`, { method: 'POST' });
      assert.equal(response.headers.get('content-type'), 'text/event-stream');
      assert.match(await response.text(), /^event: error\ndata: \S/);
    }
  });

  it('counts GPUs by app and in all', async () => {
    const { body } = await answerOf(await server.fetch('/applications/metrics'));
    const metrics = body as {
      apps: Record<string, { gpu_count_by_type: unknown; runner_count: number }>;
      summary: unknown;
    };
    assert.deepEqual(Object.keys(metrics.apps), ['alice/hello', 'alice/big']);
    assert.deepEqual(metrics.apps['alice/big']?.gpu_count_by_type, { 'GPU-H100': 1 });
    assert.deepEqual(metrics.apps['alice/hello']?.gpu_count_by_type, {});
    assert.deepEqual(metrics.summary, { total_gpu_by_type: { 'GPU-H100': 1 } });
  });

  it('tells the metadata of a deployed app', async () => {
    const metadata = { openapi: { paths: {} } };
    await collect(server.client().registerApplication(aDeploy({ metadata })));
    assert.deepEqual(await answerOf(await server.fetch('/applications/alice/hello/metadata')), {
      status: 200,
      body: metadata,
    });
    await refusal(await server.fetch('/applications/alice/nope/metadata'), 404, /"alice\/nope"/);
    await refusal(await server.fetch('/applications/bob/hello/metadata'), 404, /"bob\/hello"/);
  });
});
