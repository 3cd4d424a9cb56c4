import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, afterEach, before, describe, test } from 'node:test';
import { AppError, isClientError } from '../errors/client-error.ts';
import { ServerlessClient } from '../serverless-client.ts';
import type { RequestStatus } from './request-state.ts';

interface Seen {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  body: string;
}

type Answer = (request: Seen, response: ServerResponse, count: number) => void;

const json = (response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
};
const code = (wanted: string) => (error: unknown) => {
  assert.ok(isClientError(error));
  assert.equal(error.code, wanted, String(error));
  return true;
};

describe('calls of apps', () => {
  const seen: Seen[] = [];
  let answer: Answer;
  let base: string;
  const server = createServer((incoming, response) => {
    let body = '';
    incoming.setEncoding('utf8').on('data', (text: string) => (body += text));
    incoming.on('end', () => {
      const request = { method: incoming.method ?? '', url: incoming.url ?? '', headers: incoming.headers, body };
      seen.push(request);
      answer(request, response, seen.length);
    });
  });
  let client: ServerlessClient;
  before(async () => {
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    base = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    client = new ServerlessClient({
      apiKey: 'id:secret',
      // The test's server has no certificate: the scheme is all that is changed on the way.
      fetch: (url, init) => fetch(url.replace('https:', 'http:'), init as RequestInit),
      environment: {
        FAL_GRPC_HOST: base,
        FAL_RUN_HOST: `${base}/run`,
        FAL_QUEUE_RUN_HOST: `${base}/queue`,
        FAL_CONFIG_PATH: '/no/such/file',
      },
    });
  });
  after(async () => {
    client.close();
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });
  afterEach(() => seen.splice(0));

  test('run sends input, key and options, and gives data and id', async () => {
    answer = (_, response) => json(response, 200, { sum: 3 }, { 'x-fal-request-id': 'r1' });
    const result = await client.run<{ sum: number }>('owner/app', {
      input: { a: 1 },
      path: '/add',
      hint: 'warm',
      startTimeout: 5,
      headers: { 'x-mine': '1' },
    });
    assert.deepEqual(result, { data: { sum: 3 }, requestId: 'r1' });
    const [request] = seen;
    assert.equal(`${request?.method} ${request?.url}`, 'POST /run/owner/app/add');
    assert.equal(request?.body, '{"a":1}');
    assert.equal(request.headers.authorization, 'Key id:secret');
    assert.equal(request.headers['x-fal-runner-hint'], 'warm');
    assert.equal(request.headers['x-fal-request-timeout'], '5');
    assert.equal(request.headers['x-mine'], '1');
    assert.equal(request.headers['content-type'], 'application/json');
  });

  test('run without input sends none, and GET puts it into the query', async () => {
    answer = (_, response) => json(response, 200, null);
    await client.run('owner/app');
    await client.run('owner/app/x', { method: 'GET', input: { a: 'b c', n: 1 } });
    assert.deepEqual(
      seen.map(({ method, url, body }) => [method, url, body]),
      [
        ['POST', '/run/owner/app/', ''],
        ['GET', '/run/owner/app/x?a=b+c&n=1', ''],
      ],
    );
  });

  test('answers are read by their type', async () => {
    answer = (request, response) =>
      request.url.endsWith('/text')
        ? response.writeHead(200, { 'content-type': 'text/html' }).end('<p>')
        : response.writeHead(200, { 'content-type': 'image/png' }).end(Buffer.from([1, 2]));
    assert.equal((await client.run('owner/app/text')).data, '<p>');
    assert.deepEqual((await client.run('owner/app/image')).data, new Uint8Array([1, 2]));
  });

  test("an app's error, the platform's and the gateway's are told apart, and run is never repeated", async () => {
    answer = (request, response) => {
      if (request.url.endsWith('/invalid'))
        json(
          response,
          422,
          { detail: [{ loc: ['body', 'a'], msg: 'wrong', type: 'x' }] },
          { 'x-fal-request-id': 'r2' },
        );
      else if (request.url.endsWith('/timeout'))
        json(response, 504, { detail: 'late' }, { 'x-fal-error-type': 'request_timeout' });
      else if (request.url.endsWith('/gone'))
        json(response, 503, { detail: 'gone' }, { 'x-fal-error-type': 'runner_disconnected' });
      else json(response, 401, { detail: 'No user found for Key ID and Secret' });
    };
    await assert.rejects(client.run('owner/app/invalid'), (error: unknown) => {
      assert.ok(error instanceof AppError);
      assert.deepEqual([error.code, error.status, error.requestId], ['app_error', 422, 'r2']);
      assert.match(error.message, /body\.a: wrong/);
      return true;
    });
    await assert.rejects(client.run('owner/app/timeout'), code('timed_out'));
    await assert.rejects(client.run('owner/app/gone'), code('server_unavailable'));
    await assert.rejects(client.run('owner/app/other'), code('unauthenticated'));
    assert.equal(seen.length, 4);
  });

  test('calls end by time and by signal', async () => {
    answer = () => undefined;
    await assert.rejects(client.run('owner/app', { timeoutMs: 50 }), code('timed_out'));
    const stop = new AbortController();
    answer = () => stop.abort();
    await assert.rejects(client.run('owner/app', { signal: stop.signal }), code('cancelled'));
  });

  test('stream yields each event and refuses what is no stream', async () => {
    answer = (_, response) =>
      void response
        .writeHead(200, { 'content-type': 'text/event-stream' })
        .end(': hi\n\ndata: {"n":1}\n\ndata: {"n":2}\n\n');
    const events: unknown[] = [];
    for await (const event of client.stream('owner/app', { input: {} })) events.push(event);
    assert.deepEqual(events, [{ n: 1 }, { n: 2 }]);
    assert.equal(seen[0]?.url, '/run/owner/app/stream');
    answer = (_, response) => json(response, 200, {});
    await assert.rejects(async () => {
      for await (const _ of client.stream('owner/app')) assert.fail();
    }, code('unexpected_answer'));
  });

  test('subscribe submits, follows the status and fetches the result', async () => {
    answer = (request, response, count) => {
      if (request.method === 'POST') return json(response, 200, { request_id: 'q1' });
      if (!request.url.includes('/status')) return json(response, 200, { done: true });
      if (count === 2) return json(response, 202, { status: 'IN_QUEUE', queue_position: 4 });
      if (count === 3)
        return json(response, 202, {
          status: 'IN_PROGRESS',
          logs: [{ message: 'on it', level: 'STDOUT', timestamp: '2026-01-02T03:04:05+00:00' }],
        });
      return json(response, 200, { status: 'COMPLETED', logs: null, metrics: { inference_time: 0.5 } });
    };
    const states: RequestStatus[] = [];
    const result = await client.subscribe('owner/app/deep/path', {
      input: 1,
      logs: true,
      priority: 'low',
      webhookUrl: 'https://hook.example/?a=1',
      pollIntervalMs: 1,
      onStatus: (status) => states.push(status),
    });
    assert.deepEqual(result, { data: { done: true }, requestId: 'q1' });
    assert.deepEqual(states, [
      { status: 'IN_QUEUE', requestId: 'q1', queuePosition: 4 },
      {
        status: 'IN_PROGRESS',
        requestId: 'q1',
        logs: [{ message: 'on it', level: 'STDOUT', timestamp: new Date('2026-01-02T03:04:05Z') }],
      },
      {
        status: 'COMPLETED',
        requestId: 'q1',
        logs: null,
        metrics: { inferenceTime: 0.5 },
        error: null,
        errorType: null,
      },
    ]);
    assert.equal(seen[0]?.url, '/queue/owner/app/deep/path?fal_webhook=https%3A%2F%2Fhook.example%2F%3Fa%3D1');
    assert.equal(seen[0]?.headers['x-fal-queue-priority'], 'low');
    assert.equal(seen[1]?.url, '/queue/owner/app/requests/q1/status?logs=1', 'the path is dropped');
    assert.equal(seen.at(-1)?.url, '/queue/owner/app/requests/q1');
  });

  test('subscribe cancels its request when nobody waits any more', async () => {
    answer = (request, response) => {
      if (request.method === 'POST') json(response, 200, { request_id: 'q2' });
      else if (request.method === 'PUT') json(response, 202, { status: 'CANCELLATION_REQUESTED' });
      else json(response, 202, { status: 'IN_QUEUE', queue_position: 0 });
    };
    await assert.rejects(client.subscribe('owner/app', { timeoutMs: 60, pollIntervalMs: 5 }), code('timed_out'));
    assert.equal(`${seen.at(-1)?.method} ${seen.at(-1)?.url}`, 'PUT /queue/owner/app/requests/q2/cancel');
  });

  test('status and result are repeated where the reference does so, submit never', async () => {
    answer = (request, response, count) => {
      if (count < 3 && request.method === 'GET') return json(response, 429, { detail: 'slow down' });
      if (request.method === 'POST') return json(response, 429, { detail: 'slow down' });
      return json(response, 200, { status: 'COMPLETED', logs: null });
    };
    assert.equal((await client.status('owner/app', 'q3')).status, 'COMPLETED');
    assert.equal(seen.length, 3);
    await assert.rejects(client.submit('owner/app'), code('too_many_requests'));
    assert.equal(seen.length, 4);
    answer = (_, response) =>
      json(response, 504, { detail: 'x' }, { 'x-fal-request-timeout-type': 'user', 'x-fal-request-id': 'q3' });
    await assert.rejects(client.result('owner/app', 'q3'), code('timed_out'));
    assert.equal(seen.length, 5);
  });

  test('cancel tells unknown and complete requests apart', async () => {
    answer = (request, response) =>
      request.url.includes('gone')
        ? json(response, 404, { status: 'NOT_FOUND' })
        : json(response, 400, { status: 'ALREADY_COMPLETED' });
    await assert.rejects(client.cancel('owner/app', 'gone'), code('not_found'));
    await assert.rejects(client.cancel('owner/app', 'done'), code('conflict'));
  });

  test('queues of own apps are counted and emptied by nickname', async () => {
    // `api` is nowhere in the host, so REST is on the same one.
    answer = (request, response) => {
      if (request.url === '/users/current') return json(response, 200, { nickname: 'acme' });
      if (request.method === 'DELETE') return json(response, 200, {});
      return json(
        response,
        200,
        request.url.includes('by_user') ? { size: 3, by_user: { ada: 3 } } : { queue_size: 2 },
      );
    };
    assert.deepEqual(await client.queue.size('my-app'), { size: 2, byUser: null });
    assert.deepEqual(await client.queue.size('my-app', { byUser: true }), { size: 3, byUser: { ada: 3 } });
    await client.queue.flush('my-app--staging', { callerUserId: 'u|1' });
    assert.equal(
      `${seen.at(-1)?.method} ${seen.at(-1)?.url}`,
      'DELETE /applications/acme/my-app--staging/queue?caller_user_id=u%7C1',
    );
    await assert.rejects(client.queue.size('owner/my-app'), code('invalid_argument'));
  });

  test('a REST error keeps the sentence of the server, and what is no JSON is told', async () => {
    answer = (_, response) => json(response, 403, { detail: 'Insufficient permissions' });
    await assert.rejects(
      client.accounts.current(),
      (error: unknown) => code('permission_denied')(error) && /Insufficient permissions/.test(String(error)),
    );
    answer = (_, response) => response.writeHead(200).end('<html>');
    await assert.rejects(client.accounts.current(), code('unexpected_answer'));
  });
});
