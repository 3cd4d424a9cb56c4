import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { describe, it } from 'node:test';
import { WebSocket as PlainWebSocket } from 'ws';
import { ownerKey, type Fixture } from '../testing/gateway-fixture.ts';
import { createSocketFixture, socketUrl } from './testing/socket-fixture.ts';

interface Seen {
  messages: unknown[];
  code: number;
  reason: string;
  wasOpen: boolean;
}

/** What a browser's WebSocket tells of a connection. Node's own is made of the same parts. */
async function watch(url: string, protocols: string[] = []): Promise<Seen> {
  const socket = new WebSocket(url, protocols);
  const seen: Seen = { messages: [], code: 0, reason: '', wasOpen: false };
  socket.onopen = () => void (seen.wasOpen = true);
  socket.onmessage = ({ data }) => void seen.messages.push(JSON.parse(String(data)));
  const [{ code, reason }] = (await once(socket, 'close')) as [CloseEvent];
  return { ...seen, code, reason };
}

const statusOf = async (fixture: Fixture, path: string, headers = {}): Promise<number | undefined> => {
  const socket = new PlainWebSocket(socketUrl(fixture, path), { headers });
  socket.on('error', () => {});
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
  response.resume();
  return response.statusCode;
};

describe('a refused WebSocket', () => {
  it('is told with a status to those who can read it', async () => {
    await using fixture = await createSocketFixture(() => {}, { target: { authMode: 'private' } });
    assert.equal(await statusOf(fixture, '/alice/hello'), 401);
    assert.equal(await statusOf(fixture, '/alice/hello?fal_jwt_token=nobody'), 401);
    assert.equal(await statusOf(fixture, '/alice/ghost', { authorization: ownerKey }), 404);
  });

  it('is told in a message and a close code to those who cannot: the kind that makes clients drop their token', async () => {
    await using fixture = await createSocketFixture(() => {}, { target: { authMode: 'private' } });
    const { messages, code, reason, wasOpen } = await watch(socketUrl(fixture, '/alice/hello/x?fal_jwt_token=nobody'));
    assert.ok(wasOpen);
    assert.deepEqual(messages, [{ status: 'error', error: 'Unauthorized', reason }]);
    assert.equal(code, 1008);
    assert.match(reason, /No user found/);
    const [record] = await fixture.logged(1);
    assert.equal(record!['status'], 401);
    assert.equal(record!['errorCode'], 'unknown_key');
  });

  it('names the error, cut to what a close frame holds', async () => {
    await using fixture = await createSocketFixture(() => {}, { target: { authMode: 'private' } });
    const path = `/alice/${'x'.repeat(100)}`;
    const { messages, code, reason } = await watch(socketUrl(fixture, `${path}?fal_jwt_token=owner`));
    const [{ type, error, reason: whole }] = messages as [{ type: string; error: string; reason: string }];
    assert.deepEqual([type, error, code], ['x-fal-error', 'APP_NOT_FOUND', 1008]);
    assert.ok(whole.startsWith(reason) && reason.length <= 123 && whole.length > 123);
  });

  it('by the app is 1011', async () => {
    await using fixture = await createSocketFixture(() => {});
    fixture.appServer.removeAllListeners('upgrade');
    const { messages, code, reason } = await watch(socketUrl(fixture));
    assert.deepEqual(messages, [{ type: 'x-fal-error', error: 'APP_REFUSED_SOCKET', reason }]);
    assert.equal(code, 1011);
    assert.match(reason, /status 404/);
    assert.deepEqual(await fixture.dispatcher.released(1), [{ kind: 'done' }]);
  });

  it('for want of a runner is 1013', async () => {
    const { LannerError } = await import('@lanner/protocol');
    await using fixture = await createSocketFixture(() => {});
    fixture.dispatcher.onAcquire = () => Promise.reject(new LannerError('start_timeout', 'No runner in time.'));
    const { messages, code } = await watch(socketUrl(fixture));
    assert.deepEqual(messages, [{ type: 'x-fal-error', error: 'START_TIMEOUT', reason: 'No runner in time.' }]);
    assert.equal(code, 1013);
  });
});

describe('a short-lived token', () => {
  const createPrivate = (onRequest: (request: IncomingMessage) => void = () => {}): Promise<Fixture> =>
    createSocketFixture(
      (socket, request) => {
        onRequest(request);
        socket.send(JSON.stringify({ welcome: true }));
        socket.close(1000);
      },
      { target: { authMode: 'private' } },
    );

  it('opens a socket from the query, from a header, and as a subprotocol, and the app never sees it', async () => {
    const requests: IncomingMessage[] = [];
    await using fixture = await createPrivate((request) => requests.push(request));
    const fromQuery = await watch(socketUrl(fixture, '/alice/hello/realtime?fal_jwt_token=token&max_buffering=2'));
    assert.deepEqual(fromQuery.messages, [{ welcome: true }]);
    const asProtocol = await watch(socketUrl(fixture), ['fal_jwt_token', 'token']);
    assert.deepEqual(asProtocol, { messages: [{ welcome: true }], code: 1000, reason: '', wasOpen: true });
    const withHeader = new PlainWebSocket(socketUrl(fixture), { headers: { authorization: 'Bearer token' } });
    await once(withHeader, 'close');
    assert.equal(requests.length, 3);
    assert.equal(requests[0]!.url, '/realtime?max_buffering=2');
    for (const { url, headers } of requests) {
      assert.ok(!JSON.stringify({ url, headers }).includes('token'), JSON.stringify({ url, headers }));
    }
    assert.ok(!JSON.stringify(await fixture.logged(3)).includes('fal_jwt_token'));
  });

  it('leaves the protocols of the app alone', async () => {
    await using fixture = await createPrivate((request) =>
      assert.equal(request.headers['sec-websocket-protocol'], 'chat'),
    );
    const socket = new WebSocket(socketUrl(fixture), ['chat', 'fal_jwt_token', 'token']);
    await once(socket, 'open');
    assert.equal(socket.protocol, 'chat');
    await once(socket, 'close');
  });

  it('opens nothing but what it is for', async () => {
    await using fixture = await createPrivate();
    const { code, messages } = await watch(socketUrl(fixture, '/alice/hello/other?fal_jwt_token=token'));
    assert.equal(code, 1008);
    assert.equal((messages as { error: string }[])[0]!.error, 'TOKEN_NOT_FOR_APP');
    assert.equal(await statusOf(fixture, '/alice/hello/other?fal_jwt_token=token'), 403);
    assert.equal(await statusOf(fixture, '/alice/ghost/realtime?fal_jwt_token=token'), 403, 'whether it exists or not');
    const post = (path: string): Promise<Response> => fetch(`${fixture.url}${path}`, { method: 'POST' });
    assert.equal((await post('/alice/hello/stream?fal_jwt_token=token')).status, 403);
    assert.equal(
      (await post('/alice/hello/realtime?fal_jwt_token=token')).status,
      404,
      'let in, and refused by the app',
    );
    await fixture.dispatcher.released(1);
  });

  it('of another account opens what that account may call, and nothing private of others', async () => {
    await using mine = await createPrivate();
    assert.equal(await statusOf(mine, '/alice/hello/realtime?fal_jwt_token=strangertoken'), 404);
    assert.equal(mine.dispatcher.requests.length, 0);
    await using shared = await createSocketFixture((socket) => socket.close(1000), { target: { authMode: 'shared' } });
    const { code } = await watch(socketUrl(shared, '/alice/hello/realtime?fal_jwt_token=strangertoken'));
    assert.equal(code, 1000);
  });
});
