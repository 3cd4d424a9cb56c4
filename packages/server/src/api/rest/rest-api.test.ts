import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect, type IncomingHttpHeaders } from 'node:http2';
import { after, before, describe, it } from 'node:test';
import { LannerError } from '@lanner/protocol';
import { startApiServer, type ApiServer } from '../testing/api-server.ts';
import { aDeploy } from '../testing/requests.ts';
import { collect } from '../testing/assert-status.ts';
import { aLogLine, aRunnerView } from '../testing/scripted-fleet.ts';

async function answerOf(response: Response): Promise<{ status: number; body: unknown }> {
  assert.match(response.headers.get('x-fal-request-id') ?? '', /^[0-9a-f-]{36}$/);
  return { status: response.status, body: await response.json() };
}

async function refusal(response: Response, status: number, detail: RegExp): Promise<void> {
  const answer = await answerOf(response);
  assert.equal(answer.status, status);
  assert.match(String((answer.body as { detail: unknown }).detail), detail);
}

describe('REST: callers and routes', () => {
  let server: ApiServer;
  before(async () => (server = await startApiServer()));
  after(() => server.stop());

  it('describes the account of a key', async () => {
    assert.deepEqual(await answerOf(await server.fetch('/users/current')), {
      status: 200,
      body: {
        full_name: 'Alice',
        nickname: 'alice',
        user_id: server.account.accountId,
        is_personal: true,
        is_locked: false,
        lock_reason: null,
        members: [],
        is_paying: true,
      },
    });
  });

  it('lists teams as a bare array with a personal entry', async () => {
    const { body } = await answerOf(await server.fetch('/users/teams'));
    assert.ok(Array.isArray(body));
    assert.equal((body as { is_personal: boolean }[])[0]?.is_personal, true);
  });

  it('refuses missing, malformed and unknown credentials', async () => {
    await refusal(await server.fetch('/users/current', { key: null }), 401, /Authentication is required/);
    await refusal(
      await server.fetch('/users/current', { key: null, headers: { authorization: 'Key nonsense' } }),
      401,
      /^Invalid Key Authorization header format/,
    );
    await refusal(
      await server.fetch('/users/current', { key: 'nobody:x' }),
      401,
      /^No user found for Key ID and Secret$/,
    );
  });

  it('says "Insufficient permissions" with 403', async () => {
    const key = await server.newKey({ preset: 'API' });
    await refusal(await server.fetch('/users/current', { key }), 403, /^Insufficient permissions/);
    await refusal(
      await server.fetch('/files/missing_hashes', { key, method: 'POST', body: '{}' }),
      403,
      /^Insufficient/,
    );
    await refusal(await server.fetch('/runners/x', { key }), 403, /^Insufficient/);
  });

  it('answers unknown routes with 404 as JSON, with and without a key', async () => {
    await refusal(await server.fetch('/nope'), 404, /\/nope was not found/);
    await refusal(await server.fetch('/nope', { key: null, method: 'POST', body: 'x' }), 404, /\/nope/);
    await refusal(await server.fetch('/files/list//data'), 404, /not found/);
  });

  it('answers another method of a known route with 405 and what is allowed', async () => {
    const response = await server.fetch('/users/current', { method: 'DELETE' });
    assert.equal(response.headers.get('allow'), 'GET');
    await refusal(response, 405, /has no method DELETE/);
  });

  it('tells load balancers whether it serves, without a key', async () => {
    assert.deepEqual(await answerOf(await server.fetch('/health', { key: null })), {
      status: 200,
      body: { status: 'ok' },
    });
    server.setServing(false);
    assert.equal((await answerOf(await server.fetch('/health', { key: null }))).status, 503);
    server.setServing(true);
  });

  it('answers a defect of ours with an id that is in the log', async () => {
    const { listRunners } = server.fleet;
    server.fleet.listRunners = () => {
      throw new TypeError('a defect');
    };
    const { status, body } = await answerOf(await server.fetch('/applications/metrics'));
    server.fleet.listRunners = listRunners;
    assert.equal(status, 500);
    const { detail } = body as { detail: string };
    assert.doesNotMatch(detail, /a defect/);
    const errorId = /error ([0-9a-f-]{36})/.exec(detail)?.[1];
    assert.ok(server.logged.some((line) => JSON.stringify(line.fields).includes(errorId!)));
  });
});

describe('REST over HTTP/2', () => {
  let server: ApiServer;
  before(async () => (server = await startApiServer()));
  after(() => server.stop());

  const send = async (method: string, path: string, headers: Record<string, string>, body?: Buffer) => {
    const session = connect(`http://${server.authority}`);
    try {
      const stream = session.request({
        ':method': method,
        ':path': path,
        authorization: `Key ${server.key}`,
        ...headers,
      });
      stream.end(body);
      const [fields] = (await once(stream, 'response')) as [IncomingHttpHeaders];
      let text = '';
      for await (const chunk of stream) text += String(chunk);
      return { status: fields[':status'], body: JSON.parse(text) as Record<string, unknown> };
    } finally {
      session.destroy();
    }
  };

  it('answers, refuses, and takes parts of files', async () => {
    const current = await send('GET', '/users/current?x=1', {});
    assert.equal(current.body['nickname'], 'alice');
    assert.equal((await send('GET', '/nope', {})).status, 404);
    const hash = createHash('sha256').update('part33188').digest('hex');
    const json = { 'content-type': 'application/json' };
    const metadata = JSON.stringify({ size: '4', mode: '33188', mtime: '1', hash });
    const begun = await send('POST', `/files/app/multipart/${hash}/initiate`, json, Buffer.from(metadata));
    const form = '--b\r\ncontent-disposition: form-data; name="file_upload"; filename="chunk"\r\n\r\npart\r\n--b--\r\n';
    const put = await send(
      'PUT',
      `/files/app/multipart/${hash}/${String(begun.body['upload_id'])}/1`,
      { 'content-type': 'multipart/form-data; boundary=b' },
      Buffer.from(form),
    );
    assert.deepEqual(
      [begun, put].map((a) => a.status),
      [200, 200],
      JSON.stringify([begun, put]),
    );
    assert.equal(put.body['part_number'], 1);
  });
});

describe('REST: app files', () => {
  let server: ApiServer;
  before(async () => (server = await startApiServer()));
  after(() => server.stop());

  const mode = 0o100644;
  const hashOf = (content: Buffer) => createHash('sha256').update(content).update(String(mode)).digest('hex');
  const metadataOf = (content: Buffer) => ({
    size: String(content.length),
    mtime: '1700000000.5',
    mode: String(mode),
    hash: hashOf(content),
  });
  const post = (path: string, body: unknown, key = server.key) =>
    server.fetch(path, {
      key,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const putPart = (path: string, bytes: Buffer, field = 'file_upload') => {
    const form = new FormData();
    form.set(field, new Blob([new Uint8Array(bytes)]), 'chunk');
    return server.fetch(path, { method: 'PUT', body: form });
  };
  const initiate = async (content: Buffer): Promise<string> => {
    const { status, body } = await answerOf(
      await post(`/files/app/multipart/${hashOf(content)}/initiate`, metadataOf(content)),
    );
    assert.equal(status, 200);
    return `/files/app/multipart/${hashOf(content)}/${(body as { upload_id: string }).upload_id}`;
  };
  const upload = async (content: Buffer, partSize: number): Promise<{ status: number; body: unknown }> => {
    const base = await initiate(content);
    const parts: unknown[] = [];
    for (let start = 0; start < Math.max(content.length, 1); start += partSize) {
      const { status, body } = await answerOf(
        await putPart(`${base}/${parts.length + 1}`, content.subarray(start, start + partSize)),
      );
      assert.equal(status, 200);
      assert.equal((body as { part_number: number }).part_number, parts.length + 1);
      parts.push(body);
    }
    return answerOf(await post(`${base}/complete`, { parts, metadata: metadataOf(content) }));
  };
  const missing = async (hashes: string[], key?: string): Promise<unknown> =>
    (await answerOf(await post('/files/missing_hashes', { hashes }, key))).body;

  it('are missing until they are uploaded, in parts', async () => {
    const content = Buffer.from('print("hello")\n'.repeat(100));
    assert.deepEqual(await missing([hashOf(content)]), [hashOf(content)]);
    const { status, body } = await upload(content, 400);
    assert.equal(status, 200);
    assert.equal(typeof (body as { etag: unknown }).etag, 'string');
    assert.deepEqual(await missing([hashOf(content)]), []);
    assert.equal(await server.store.appFiles.modeOf(server.account.accountId, hashOf(content)), mode);
  });

  it('may be empty: one empty part', async () => {
    const hash = hashOf(Buffer.alloc(0));
    assert.equal(hash, 'd92c71f093c5fb8432d4a624b772734587e8c68534d9d988f1eaa29f7f6754de');
    assert.equal((await upload(Buffer.alloc(0), 1)).status, 200);
    assert.deepEqual(await missing([hash]), []);
  });

  it('of one account are missing to another', async () => {
    const content = Buffer.from('shared bytes');
    await upload(content, 100);
    const other = await server.store.accounts.create({ nickname: 'bob', fullName: 'Bob', isPersonal: true });
    const otherKey = await server.newKey({ preset: 'FULL' }, other);
    assert.deepEqual(await missing([hashOf(content)], otherKey), [hashOf(content)]);
  });

  it('are deployed once they are there', async () => {
    const content = Buffer.from('y = 1\n');
    await upload(content, 100);
    const files = [{ hash: hashOf(content), relativePath: 'pkg/helper.py' }];
    const messages = await collect(server.client().registerApplication(aDeploy({ files })));
    const revisionId = messages.at(-1)!.result!.applicationId;
    const revision = await server.store.apps.getRevision(server.account.accountId, revisionId);
    assert.deepEqual(revision?.code.files, files);
  });

  it('whose bytes are not what the hash says are refused', async () => {
    const content = Buffer.from('claimed');
    const base = await initiate(content);
    const { body } = await answerOf(await putPart(`${base}/1`, Buffer.from('changed')));
    await refusal(await post(`${base}/complete`, { parts: [body], metadata: metadataOf(content) }), 422, /./);
    assert.deepEqual(await missing([hashOf(content)]), [hashOf(content)]);
  });

  it('can be cancelled, which forgets the parts', async () => {
    const base = await initiate(Buffer.from('cancelled'));
    assert.equal((await answerOf(await post(`${base}/cancel`, {}))).status, 200);
    await refusal(await putPart(`${base}/1`, Buffer.from('x')), 404, /was not found/);
  });

  it('need a form with the right field, and a part number', async () => {
    const base = await initiate(Buffer.from('form'));
    await refusal(await putPart(`${base}/1`, Buffer.from('x'), 'other'), 400, /no file in the field "file_upload"/);
    await refusal(await server.fetch(`${base}/1`, { method: 'PUT', body: 'plain text' }), 400, /multipart\/form-data/);
    await refusal(await putPart(`${base}/zero`, Buffer.from('x')), 422, /"zero"/);
    const cut = '--b\r\ncontent-disposition: form-data; name="file_upload"; filename="chunk"\r\n\r\nhalf of';
    await refusal(
      await server.fetch(`${base}/1`, {
        method: 'PUT',
        headers: { 'content-type': 'multipart/form-data; boundary=b' },
        body: cut,
      }),
      400,
      /ended too early/,
    );
  });

  it('refuse a part beyond the limit while it arrives', async () => {
    const base = await initiate(Buffer.from('too large'));
    await refusal(await putPart(`${base}/1`, Buffer.alloc(12 * 1024 * 1024)), 413, /A part may have/);
    await putPart(`${base}/1`, Buffer.from('the server goes on'));
  });

  it('survive clients that leave in the middle of a body', async () => {
    const content = Buffer.from('left');
    const base = await initiate(content);
    const form = 'multipart/form-data; boundary=b';
    const head = '--b\r\ncontent-disposition: form-data; name="file_upload"; filename="chunk"\r\n\r\nhalf';
    const cutShort = (method: string, path: string, type: string, begin: string): Promise<void> =>
      new Promise((resolve) => {
        const request = httpRequest(`http://${server.authority}${path}`, {
          method,
          headers: { authorization: `Key ${server.key}`, 'content-type': type, 'content-length': 10_000 },
        });
        request.on('error', () => undefined);
        request.on('close', resolve);
        request.write(begin, () => request.destroy());
      });
    server.logged.length = 0;
    await cutShort('PUT', `${base}/1`, form, head);
    await cutShort('POST', '/files/missing_hashes', 'application/json', '{"hashes": [');
    // Both have ended on the server as well.
    while (server.logged.filter((line) => line.message === 'rest call finished').length < 2) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal((await answerOf(await putPart(`${base}/1`, content))).status, 200);
    assert.deepEqual(
      server.logged.filter((line) => line.message === 'rest call failed'),
      [],
    );
  });

  it('answer bodies that do not fit with 422 and a list of findings', async () => {
    const { status, body } = await answerOf(await post('/files/missing_hashes', { hashes: 'x' }));
    assert.equal(status, 422);
    const [finding] = (body as { detail: { loc: unknown; msg: unknown; type: unknown }[] }).detail;
    assert.deepEqual(finding?.loc, ['body', 'hashes']);
    assert.equal(typeof finding.msg, 'string');
    assert.equal(typeof finding.type, 'string');
    await refusal(await post('/files/missing_hashes', { hashes: ['nonsense'] }), 422, /"nonsense" is not a file hash/);
    await refusal(await server.fetch('/files/missing_hashes', { method: 'POST', body: '{' }), 400, /not valid JSON/);
  });

  it('refuse a body beyond the limit of its route', async () => {
    const path = `/files/app/multipart/${'a'.repeat(64)}/initiate`;
    await refusal(await post(path, { size: 'x'.repeat(100_000) }), 413, /may have up to 65536 bytes/);
  });
});

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
