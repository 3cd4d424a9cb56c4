import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { BuildRequest, Json, StartRunnerRequest } from '@lanner/protocol';
import { startTestSupervisor, type TestSupervisor } from '../testing/test-supervisor.ts';

describe('the supervisor API', () => {
  let test: TestSupervisor;
  let request: StartRunnerRequest;
  before(async () => {
    test = await startTestSupervisor();
    request = await test.request('def main(): pass');
  });
  after(() => test?.stop());

  const askFor = (configuration: { [key: string]: Json }): BuildRequest => ({
    accountId: 'acct_test',
    accountOrdinal: 7,
    environment: { kind: 'virtualenv', configuration },
    force: false,
  });
  const refused = async (
    method: string,
    path: string,
    body: unknown,
    status: number,
    code: string,
  ): Promise<string> => {
    const answer = await test.api.call(method, path, body);
    assert.equal(answer.status, status, answer.text);
    const error = JSON.parse(answer.text) as { code: string; message: string };
    assert.equal(error.code, code);
    assert.match(error.message, /./);
    return error.message;
  };

  it('answers unknown paths and methods as JSON', async () => {
    await refused('GET', '/v1/nothing', undefined, 404, 'not_found');
    await refused('DELETE', '/v1/status', undefined, 405, 'method_not_allowed');
    await refused('POST', '/v1/runners/unknown/stop', { graceMs: 1 }, 404, 'runner_not_found');
    await refused('POST', '/v1/runners/unknown/kill', undefined, 404, 'runner_not_found');
    await refused('GET', '/v1/runners/unknown/result', undefined, 404, 'not_found');
    await refused('GET', '/v1/runners/..%2F..%2Fetc/result', undefined, 404, 'not_found');
  });

  it('refuses bodies that are no JSON, too large, or wrong, naming the field and never its value', async () => {
    await refused('POST', '/v1/runners', '{', 400, 'bad_request');
    await refused('POST', '/v1/runners', 'x'.repeat(33 * 1024 * 1024), 413, 'payload_too_large');
    const wrong = { ...request, env: { SECRET: ['very-secret'] } };
    const message = await refused('POST', '/v1/runners', wrong, 422, 'invalid_argument');
    assert.match(message, /env\.SECRET/);
    assert.doesNotMatch(message, /very-secret/);
    for (const change of [
      { runnerId: '../../x' },
      { runnerId: '..' },
      { accountId: 'a/b' },
      { callable: { kind: 'serialized', method: 'cloudpickle', blob: 'nothex' } },
      { exposedPort: 70_000 },
      { limits: { memoryMiB: -1, cpus: 1 } },
      { healthCheck: { path: 'no-slash', startPeriodMs: 0, timeoutMs: 1, failureThreshold: 1, callRegularly: true } },
    ]) {
      await refused('POST', '/v1/runners', { ...request, ...change }, 422, 'invalid_argument');
    }
    await refused('GET', '/v1/events?after=x', undefined, 422, 'invalid_argument');
    assert.deepEqual((await test.api.status()).runners, []);
  });

  it('answers a build of something finished at once, and shares one build among equal askers', async () => {
    const ask = { accountId: 'acct_test', accountOrdinal: 7, environment: test.environment, force: false };
    const cached = await test.api.build(ask);
    assert.deepEqual(
      cached.map(({ type }) => type),
      ['done'],
    );
    const fresh = askFor({ requirements: ['six==1.17.0'] });
    const answers = await Promise.all([test.api.build(fresh), test.api.build(fresh), test.api.build(fresh)]);
    assert.equal(new Set(answers.map((messages) => JSON.stringify(messages.at(-1)))).size, 1);
    for (const messages of answers) {
      assert.deepEqual(messages.at(-1)?.type, 'done');
      assert.ok(messages.some((message) => message.type === 'log' && message.line.includes('six==1.17.0')));
    }
  });

  it('reports a build that fails with the resolver’s text, and does not remember it', async () => {
    const ask = askFor({ requirements: ['six==0.0.0.1'] });
    for (let round = 0; round < 2; round += 1) {
      const last = (await test.api.build(ask)).at(-1);
      assert.equal(last?.type, 'failed');
      assert.equal(last?.type === 'failed' && last.code, 'build_failed');
      assert.match(last?.type === 'failed' ? last.message : '', /six==0\.0\.0\.1/);
    }
    const last = (await test.api.build(askFor({ python_version: '3.99' }))).at(-1);
    assert.match(last?.type === 'failed' ? last.message : '', /Python 3\.99 is not installed.*Installed: 3\./);
  });

  it('builds anew when told to, and the new tree is used', async () => {
    const ask = { accountId: 'acct_test', accountOrdinal: 7, environment: test.environment, force: true };
    const messages = await test.api.build(ask);
    const last = messages.at(-1);
    assert.equal(last?.type === 'done' && last.cached, false);
    const stream = await test.api.openEvents();
    await test.api.startRunner(request);
    const exit = await stream.find((event) => event.type === 'runner.exited' && event.runnerId === request.runnerId);
    assert.equal(exit.type === 'runner.exited' && exit.exit.reason, 'finished', JSON.stringify(exit));
    stream.close();
  });
});
