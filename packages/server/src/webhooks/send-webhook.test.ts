import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, it, type TestContext } from 'node:test';
import { systemClock } from '@lanner/protocol';
import type { HostAddress } from './resolve-host.ts';
import { createWebhookSender, type WebhookSender } from './send-webhook.ts';
import type { WebhookBody } from './webhook-body.ts';

const inMemory = (text: string): WebhookBody => ({ sizeBytes: text.length, sha256: '', open: () => Buffer.from(text) });

describe('sending webhooks', () => {
  let server: Server;
  let port: number;
  let handle: RequestListener;
  before(async () => {
    server = createServer((request, response) => handle(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
  });
  after(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const open = (
    t: TestContext,
    allowPrivate: boolean,
    resolveHost?: (hostname: string) => Promise<HostAddress[]>,
  ): WebhookSender => {
    const sender = createWebhookSender({
      allowPrivate,
      connectionsPerReceiver: 2,
      upstreamProxy: null,
      certificates: () => [],
      clock: systemClock,
      ...(resolveHost === undefined ? {} : { resolveHost }),
    });
    t.after(() => sender.close());
    return sender;
  };
  const post = (sender: WebhookSender, url: string, more: { timeoutMs?: number; body?: WebhookBody } = {}) =>
    sender.send({
      url,
      headers: { 'content-type': 'application/json', 'X-Fal-Webhook-Request-Id': 'r' },
      body: more.body ?? inMemory('{"a":1}'),
      timeoutMs: more.timeoutMs ?? 5_000,
      signal: new AbortController().signal,
    });

  it('posts the body with its length and headers, streamed ones too, and tells the status', async (t) => {
    const seen: unknown[] = [];
    handle = (request, response) => {
      void buffer(request).then((body) => {
        const { authorization, 'content-length': length, 'x-fal-webhook-request-id': id } = request.headers;
        seen.push([request.method, request.url, body.toString(), length, id, authorization]);
        response.writeHead(201).end('thanks');
      });
    };
    const sender = open(t, true);
    const streamed: WebhookBody = {
      sizeBytes: 4,
      sha256: '',
      async *open() {
        yield Buffer.from('ab');
        yield Buffer.from('cd');
      },
    };
    const basic = `Basic ${Buffer.from('me:p w').toString('base64')}`;
    assert.deepEqual(await post(sender, `http://127.0.0.1:${port}/x?y=1`), { kind: 'answered', status: 201 });
    const url = `http://me:p%20w@localhost:${port}/`;
    assert.deepEqual(await post(sender, url, { body: streamed }), { kind: 'answered', status: 201 });
    assert.deepEqual(seen, [
      ['POST', '/x?y=1', '{"a":1}', '7', 'r', undefined],
      ['POST', '/', 'abcd', '4', 'r', basic],
    ]);
  });

  it('follows no redirect', async (t) => {
    let calls = 0;
    handle = (_request, response) => {
      calls += 1;
      response.writeHead(307, { location: `http://127.0.0.1:${port}/elsewhere` }).end();
    };
    assert.deepEqual(await post(open(t, true), `http://127.0.0.1:${port}/`), { kind: 'answered', status: 307 });
    assert.equal(calls, 1);
  });

  it('gives up in time on a receiver that does not answer, and does not read an answer without end', async (t) => {
    const sockets: Socket[] = [];
    const silent = createTcpServer((socket) => void sockets.push(socket));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    t.after(() => {
      for (const socket of sockets) socket.destroy();
      silent.close();
    });
    const sender = open(t, true);
    const { port: silentPort } = silent.address() as AddressInfo;
    const late = await post(sender, `http://127.0.0.1:${silentPort}/`, { timeoutMs: 50 });
    assert.deepEqual(late, { kind: 'failed', reason: 'timeout' });
    handle = (_request, response) => {
      response.writeHead(200);
      const more = (): void => void (response.write('x'.repeat(1024)) ? setImmediate(more) : undefined);
      more();
    };
    assert.deepEqual(await post(sender, `http://127.0.0.1:${port}/`), { kind: 'answered', status: 200 });
  });

  it('tells what went wrong by a code, without the URL', async (t) => {
    const closed = createTcpServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    const { port: closedPort } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    const sender = open(t, true, async () => []);
    const refused = await post(sender, `http://127.0.0.1:${closedPort}/?token=secret`);
    assert.deepEqual(refused, { kind: 'failed', reason: 'econnrefused' });
    assert.deepEqual(await post(sender, 'http://nowhere.example/'), { kind: 'failed', reason: 'enotfound' });
  });

  it('connects to no address inside the network, literal or resolved', async (t) => {
    let calls = 0;
    handle = (_request, response) => {
      calls += 1;
      response.end();
    };
    const refused = { kind: 'refused', reason: 'target_refused' };
    const answers: HostAddress[][] = [
      [{ address: '127.0.0.1', family: 4 }],
      [{ address: '::ffff:127.0.0.1', family: 6 }],
      [
        { address: '10.0.0.1', family: 4 },
        { address: 'fe80::1', family: 6 },
      ],
    ];
    for (const answer of answers) {
      const sender = open(t, false, async () => answer);
      assert.deepEqual(await post(sender, `http://rebound.example:${port}/`), refused);
    }
    const sender = open(t, false);
    for (const host of ['127.0.0.1', 'localhost', '[::1]', '[::ffff:7f00:1]', '2130706433']) {
      assert.deepEqual(await post(sender, `http://${host}:${port}/`), refused, host);
    }
    const toRunner = open(t, true, async () => [{ address: '127.83.4.9', family: 4 }]);
    assert.deepEqual(
      await post(toRunner, `http://runner.example:${port}/`),
      refused,
      'not even where loopback is allowed',
    );
    assert.deepEqual(await post(toRunner, `http://127.83.4.9:${port}/`), refused);
    assert.equal(calls, 0);
  });

  it('goes through the proxy of this machine, except for what is exempt and for what may not be reached', async (t) => {
    const asked: string[] = [];
    const proxy = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      // As a proxy does with clear text: it sends the request itself.
      void buffer(request).then((body) => response.writeHead(body.toString() === '{"a":1}' ? 202 : 500).end());
    });
    proxy.on('connect', (request: IncomingMessage, socket: Socket) => {
      asked.push(`CONNECT ${request.url}`);
      socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    t.after(() => {
      proxy.closeAllConnections();
      proxy.close();
    });
    const sender = createWebhookSender({
      ...{ allowPrivate: false, connectionsPerReceiver: 2, certificates: () => [], clock: systemClock },
      upstreamProxy: {
        url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/`,
        noProxy: 'direct.example',
      },
      resolveHost: async (hostname) => {
        if (hostname === 'hook.example') throw new Error('only the proxy knows');
        return [{ address: '127.0.0.1', family: 4 }];
      },
    });
    t.after(() => sender.close());
    assert.deepEqual(await post(sender, 'http://hook.example:8080/'), { kind: 'answered', status: 202 });
    for (const host of ['direct.example', 'inside.example', '10.0.0.1']) {
      assert.deepEqual(await post(sender, `http://${host}/`), { kind: 'refused', reason: 'target_refused' });
    }
    assert.equal((await post(sender, 'https://hook.example/')).kind, 'failed');
    assert.deepEqual(asked, ['POST http://hook.example:8080/', 'CONNECT hook.example:443']);
  });

  it('asks for the addresses of a name once and connects to what was checked', async (t) => {
    let asked = 0;
    handle = (_request, response) => void response.end();
    // The second answer is what an attacker would like to be connected to.
    const sender = open(t, true, async () => {
      asked += 1;
      return [{ address: asked === 1 ? '127.0.0.1' : '192.0.2.1', family: 4 }];
    });
    assert.deepEqual(await post(sender, `http://once.example:${port}/`), { kind: 'answered', status: 200 });
    assert.equal(asked, 1);
  });
});
