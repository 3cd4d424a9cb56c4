import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually, startPlatform, type CommandResult, type Platform } from './platform.ts';

const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' };

interface ErrorBody {
  detail: string;
  error_type?: string;
}

describe('calls of real apps that do not go well', () => {
  let platform: Platform;
  const ok = ({ code, stdout, stderr }: CommandResult): string => {
    assert.equal(code, 0, stdout + stderr);
    return stdout;
  };
  before(async () => {
    platform = await startPlatform();
    // one after the other: the second finds the environment built
    for (const name of ['single', 'hasty', 'plural']) {
      ok(await platform.fal(['deploy', 'test/system/apps/various.py::Various', '--app-name', name]));
    }
    ok(await platform.fal(['apps', 'scale', 'hasty', '--request-timeout', '2']));
    ok(await platform.fal(['apps', 'scale', 'plural', '--max-multiplexing', '3', '--max-concurrency', '1']));
  });
  after(() => platform.stop());

  const ask = async <T>(path: string): Promise<T> => {
    const response = await platform.call(path, post);
    assert.equal(response.status, 200, await response.clone().text());
    return (await response.json()) as T;
  };
  const refused = async (response: Response, status: number, errorType?: string): Promise<ErrorBody> => {
    const text = await response.text();
    assert.equal(response.status, status, text);
    assert.match(response.headers.get('x-fal-request-id') ?? '', /^[0-9a-f-]{36}$/, 'every answer has an id');
    assert.equal(response.headers.get('x-fal-error-type') ?? undefined, errorType);
    const body = JSON.parse(text) as ErrorBody;
    assert.equal(typeof body.detail, 'string');
    assert.equal(body.error_type, errorType);
    return body;
  };

  it('refuses callers the way clients expect', async () => {
    const none = await refused(await platform.call('/single/', { ...post, key: null }), 401);
    assert.ok(none.detail.length > 0);
    const wrong = await platform.call('/single/', { ...post, key: '0b0e0e0e-0000-4000-8000-000000000000:nonsense' });
    assert.match((await refused(wrong, 401)).detail, /No user found for Key ID and Secret/);
    const malformed = await platform.call('/single/', {
      ...post,
      key: null,
      headers: { authorization: 'Key nocolon' },
    });
    assert.match((await refused(malformed, 401)).detail, /Invalid Key Authorization header format/);
    await refused(await platform.call('/never-deployed/', post), 404);
  });

  it('passes the statuses of the app on, and replaces a runner that says 503', async () => {
    const { job } = await ask<{ job: string }>('/single/');
    for (const code of [201, 400, 404, 409, 418, 429, 499, 500, 502, 504]) {
      const response = await platform.call(`/single/status?code=${code}`, post);
      assert.equal(response.status, code);
      assert.deepEqual(await response.json(), { detail: 'as asked' });
      assert.equal(response.headers.get('x-fal-error-type'), null, "the app's own errors are not the platform's");
    }
    assert.equal((await ask<{ job: string }>('/single/')).job, job, 'the runner is healthy and stays');
    assert.equal((await platform.call('/single/status?code=503', post)).status, 503);
    assert.notEqual((await ask<{ job: string }>('/single/')).job, job, 'after 503 another one answers');
  });

  it('keeps a runner whose endpoint raises, and the calls behind it', async () => {
    const { job } = await ask<{ job: string }>('/single/');
    for (let call = 0; call < 10; call += 1) {
      const raised = await platform.call('/single/raise', post);
      assert.equal(raised.status, 500);
      assert.deepEqual(await raised.json(), { detail: 'Internal Server Error' });
      assert.equal((await ask<{ job: string }>('/single/')).job, job);
    }
  });

  it('gives up after request_timeout, replaces the runner, and the next call is fine', async () => {
    const { job } = await ask<{ job: string }>('/hasty/');
    const startedAtMs = performance.now();
    const body = await refused(await platform.call('/hasty/stuck', post), 504, 'request_timeout');
    assert.ok(performance.now() - startedAtMs < 20_000, 'it did not wait for the app');
    assert.match(body.detail, /2 s/);
    assert.notEqual((await ask<{ job: string }>('/hasty/')).job, job);
  });

  it('tells a caller whose start deadline passes while the only slot is busy', async () => {
    await ask('/single/');
    const busy = platform.call('/single/slow?seconds=3', post);
    await eventually(async () => {
      const response = await platform.call('/single/', {
        ...post,
        headers: { ...post.headers, 'x-fal-request-timeout': '0.3' },
      });
      await refused(response, 504, 'request_timeout');
      assert.equal(response.headers.get('x-fal-request-timeout-type'), 'user');
    }, 3_000);
    const patient = platform.call('/single/', { ...post, headers: { ...post.headers, 'x-fal-request-timeout': '30' } });
    assert.equal((await busy).status, 200);
    assert.equal((await patient).status, 200, 'who waits longer gets the slot');
    for (const value of ['soon', '-1', '0', 'NaN', '1e400']) {
      await refused(
        await platform.call('/single/', { ...post, headers: { ...post.headers, 'x-fal-request-timeout': value } }),
        400,
        'bad_request',
      );
    }
  });

  it('tells the app that its caller left, and frees the slot', async () => {
    const leave = new AbortController();
    const left = platform.call('/plural/long', { ...post, signal: leave.signal }).then(
      () => assert.fail('nobody answered'),
      (error: Error) => error.name,
    );
    const cancelled = async (): Promise<boolean[]> =>
      Object.values((await ask<{ ids: Record<string, boolean> }>('/plural/cancelled')).ids);
    await eventually(async () => assert.deepEqual(await cancelled(), [false]), 10_000);
    leave.abort();
    assert.equal(await left, 'AbortError');
    await eventually(
      async () => assert.deepEqual(await cancelled(), [true], 'its /cancel route was called with the same id'),
      5_000,
    );
  });

  it('gives one runner three calls at a time where the app allows it, and no fourth', async () => {
    await ask('/plural/');
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => ask<{ job: string; most_active: number }>('/plural/slow?seconds=1')),
    );
    assert.equal(new Set(answers.map(({ job }) => job)).size, 1, 'max_concurrency 1: one runner');
    assert.equal(Math.max(...answers.map(({ most_active: most }) => most)), 3);
  });

  it('gives a runner of max_multiplexing 1 one call at a time', async () => {
    const answers = await Promise.all(
      Array.from({ length: 3 }, () => ask<{ job: string; most_active: number }>('/single/slow?seconds=0.3')),
    );
    assert.deepEqual(
      answers.map(({ most_active: most }) => most),
      [1, 1, 1],
    );
  });

  it('says why an app cannot be built or started, at deploy and to callers, and serves others meanwhile', async () => {
    const unbuildable = await platform.fal(['deploy', 'test/system/apps/unbuildable.py::Unbuildable']);
    assert.equal(unbuildable.code, 1, unbuildable.stdout + unbuildable.stderr);
    assert.match(unbuildable.stdout + unbuildable.stderr, /lanner-no-such-package/);
    await refused(await platform.call('/unbuildable/', post), 404);

    const dying = await platform.fal([
      'deploy',
      'test/system/apps/unbuildable.py::dies_at_start',
      '--strategy',
      'recreate',
    ]);
    assert.equal(dying.code, 0, `recreate waits for no runner: ${dying.stdout}${dying.stderr}`);
    const waiting = platform.call('/dies_at_start/', post);
    assert.equal((await platform.call('/single/', post)).status, 200, 'others are served');
    const body = await refused(await waiting, 503, 'runner_scheduling_failure');
    assert.match(body.detail, /the disk is on fire/, 'the reason is told');
    await refused(await platform.call('/dies_at_start/', post), 503, 'runner_scheduling_failure');
  });
});
