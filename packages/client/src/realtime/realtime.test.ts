import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, afterEach, before, describe, it } from 'node:test';
import { decode, encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { WebSocketServer, type WebSocket } from 'ws';
import type { ClientError } from '../errors/client-error.ts';
import type { Settings } from '../resolve/settings.ts';
import { HttpClient } from '../transport/http-client.ts';
import { createNodeTransport } from '../transport/node-transport.ts';
import { createGlobalSockets } from './global-sockets.ts';
import { createNodeSockets } from './node-sockets.ts';
import { RealtimeNamespace } from './realtime.ts';
import type { RealtimeConnection, RealtimeOptions, RealtimeState } from './realtime-types.ts';
import type { Sockets } from './socket.ts';

interface Doubled {
  value: number;
}

/** A platform with one app, played by the test. */
interface Platform {
  app: (socket: WebSocket, request: IncomingMessage) => void;
  /** Answers a handshake otherwise. */
  refuseWith: number | null;
  requests: IncomingMessage[];
  tokenBodies: unknown[];
}

const double = (socket: WebSocket): void => {
  socket.on('message', (data) => {
    const { value } = decode(data as Buffer) as Doubled;
    socket.send(encode({ value: value * 2 }));
  });
};

for (const [name, sockets] of [
  ['ws', createNodeSockets({})],
  ["the runtime's own WebSocket", createGlobalSockets()],
] as [string, Sockets][]) {
  describe(`client.realtime over ${name}`, () => {
    const platform: Platform = { app: double, refuseWith: null, requests: [], tokenBodies: [] };
    let server: Server;
    let realtime: RealtimeNamespace;
    let http: HttpClient;

    before(async () => {
      server = createServer(async (request, response) => {
        let body = '';
        for await (const chunk of request) body += String(chunk);
        platform.tokenBodies.push(JSON.parse(body));
        response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify('made-token'));
      });
      const webSockets = new WebSocketServer({ noServer: true });
      server.on('upgrade', (request, socket, head) => {
        platform.requests.push(request);
        if (platform.refuseWith !== null) {
          socket.end(
            `HTTP/1.1 ${platform.refuseWith} No\r\nx-fal-request-id: r1\r\nconnection: close\r\n\r\n{"detail":"no such app"}`,
          );
          return;
        }
        webSockets.handleUpgrade(request, socket, head, (ws) => platform.app(ws, request));
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const settings: Settings = {
        environment: {},
        hosts: () => ({ grpc: '', accountUrl: base, restUrl: base, runUrl: `${base}/run`, queueUrl: base }),
        credentials: () => ({ kind: 'key', keyId: 'id', keySecret: 'secret', from: 'the test' }),
        signing: async () => ({ kind: 'key', keyId: 'id', keySecret: 'secret', from: 'the test' }),
        team: () => undefined,
      };
      http = new HttpClient(settings, async () => undefined, createNodeTransport({}));
      realtime = new RealtimeNamespace(settings, http, async () => undefined, sockets);
    });
    after(async () => {
      realtime.close();
      http.close();
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    });
    afterEach(() => Object.assign(platform, { app: double, refuseWith: null, requests: [], tokenBodies: [] }));

    /** A connection whose events can be awaited. */
    const connect = (options: RealtimeOptions<Doubled> = {}, appId = 'me/app'): Watched => {
      const seen: Seen = { results: [], errors: [], states: [] };
      const wakers = new Set<() => void>();
      const wake = (): void => wakers.forEach((waker) => waker());
      const connection = realtime.connect<Doubled, Doubled>(appId, {
        onResult: (result) => (seen.results.push(result), wake()),
        onError: (error) => (seen.errors.push(error), wake()),
        onStateChange: (state) => (seen.states.push(state), wake()),
        ...options,
      });
      const until = async (isThere: (seen: Seen) => boolean): Promise<void> => {
        while (!isThere(seen)) {
          await new Promise<void>((resolve) => {
            const waker = (): void => (wakers.delete(waker), resolve());
            wakers.add(waker);
          });
        }
      };
      return { ...seen, connection, until };
    };

    it('sends inputs in order and gives results in order, signed as the runtime allows', async () => {
      const { connection, results, until } = connect({ maxBuffering: 10 });
      assert.equal(connection.state, 'idle');
      for (let value = 0; value < 5; value += 1) connection.send({ value });
      await until(() => results.length === 5);
      assert.deepEqual(
        results.map(({ value }) => value),
        [0, 2, 4, 6, 8],
      );
      const [request] = platform.requests;
      const url = new URL(request!.url!, 'http://x');
      assert.equal(url.pathname, '/run/me/app/realtime');
      assert.equal(url.searchParams.get('max_buffering'), '10');
      if (sockets.hasHeaders) {
        assert.equal(request!.headers.authorization, 'Key id:secret');
        assert.deepEqual(platform.tokenBodies, []);
      } else {
        assert.equal(url.searchParams.get('fal_jwt_token'), 'made-token');
        assert.deepEqual(platform.tokenBodies, [{ allowed_apps: ['app'], token_expiration: 120 }]);
      }
      await connection.close();
      assert.equal(connection.state, 'closed');
    });

    it('connects again with the next input after the app has ended a quiet session, and nothing is lost meanwhile', async () => {
      platform.app = (socket) => {
        double(socket);
        socket.once('message', () => {
          socket.send('{"type":"x-fal-message","action":"timings","timing":1}');
          socket.send('{"type":"x-fal-error","error":"TIMEOUT","reason":"no inputs, reconnect when needed!"}');
          socket.close(1000);
        });
      };
      const { connection, results, errors, states, until } = connect();
      for (let value = 0; value < 3; value += 1) {
        connection.send({ value });
        await until(() => results.length === value + 1 && connection.state === 'idle');
      }
      assert.deepEqual(errors, []);
      assert.deepEqual(states.slice(0, 6), ['connecting', 'open', 'idle', 'connecting', 'open', 'idle']);
      assert.equal(platform.requests.length, 3);
      await connection.close();
    });

    it('tells what the app raises, and stays usable', async () => {
      platform.app = (socket) =>
        socket.once('message', () => {
          socket.send('{"type":"x-fal-error","error":"INTERNAL_ERROR","reason":"out of paint"}');
          double(socket);
        });
      const { connection, errors, results, until } = connect();
      connection.send({ value: 1 });
      await until(() => errors.length === 1);
      assert.equal(errors[0]!.code, 'app_error');
      assert.equal(errors[0]!.message, 'out of paint');
      connection.send({ value: 2 });
      await until(() => results.length === 1);
      await connection.close();
    });

    it('tells why a connection ended, by its close code, once', async () => {
      const codes: [number, string][] = [
        [1001, 'server_unavailable'],
        [1008, 'rejected'],
        [1011, 'server_error'],
        [1013, 'server_unavailable'],
        [3008, 'timed_out'],
        [4000, 'connection_lost'],
      ];
      for (const [code, expected] of codes) {
        platform.app = (socket) => socket.close(code, `because of ${code}`);
        const { connection, errors, until } = connect();
        connection.send({ value: 1 });
        await until(() => errors.length === 1 && connection.state === 'idle');
        assert.equal(errors[0]!.code, expected, String(code));
        assert.equal(errors[0]!.message, `because of ${code}`);
        assert.deepEqual(errors[0]!.details, { closeCode: code, reason: `because of ${code}` });
        await connection.close();
        assert.equal(errors.length, 1);
      }
    });

    it('knows the errors of the platform that come in messages', async () => {
      platform.app = (socket) => {
        socket.send('{"type":"x-fal-error","error":"APP_NOT_FOUND","reason":"no such app"}');
        socket.close(1008, 'no such app');
      };
      const { connection, errors, until } = connect();
      connection.send({ value: 1 });
      await until(() => errors.length === 1 && connection.state === 'idle');
      assert.deepEqual([errors[0]!.name, errors[0]!.code, errors.length], ['ServerError', 'not_found', 1]);
      await connection.close();
    });

    it('drops a refused token, tells it once, and asks for another with the next input', async () => {
      platform.app = (socket, request) => {
        if (!request.url!.includes('token-1')) return double(socket);
        socket.send('{"status":"error","error":"Unauthorized","reason":"This token has expired."}');
        socket.close(1008, 'This token has expired.');
      };
      const asked: string[] = [];
      const { connection, errors, results, until } = connect({
        tokenProvider: (endpoint) => `token-${asked.push(endpoint)}`,
        tokenExpiration: 3600,
      });
      connection.send({ value: 1 });
      await until(() => errors.length === 1 && connection.state === 'idle');
      assert.equal(errors[0]!.code, 'unauthenticated');
      connection.send({ value: 2 });
      await until(() => results.length === 1);
      assert.deepEqual(asked, ['me/app/realtime', 'me/app/realtime']);
      assert.equal(errors.length, 1);
      await connection.close();
    });

    it('uses a token again while it lives', async () => {
      platform.app = (socket) => {
        double(socket);
        socket.once('message', () => socket.close(1000));
      };
      let asked = 0;
      const { connection, results, until } = connect({
        tokenProvider: () => `token-${(asked += 1)}`,
        tokenExpiration: 3600,
      });
      for (let value = 0; value < 2; value += 1) {
        connection.send({ value });
        await until(() => results.length === value + 1 && connection.state === 'idle');
      }
      assert.equal(asked, 1);
      await connection.close();
    });

    it('tells a connection that cannot be made, and drops the inputs that waited for it', async () => {
      platform.refuseWith = 404;
      const { connection, errors, results, until } = connect();
      connection.send({ value: 1 });
      await until(() => errors.length === 1 && connection.state === 'idle');
      if (sockets.hasHeaders) {
        assert.deepEqual([errors[0]!.code, errors[0]!.message], ['not_found', 'no such app']);
        assert.equal(errors[0]!.requestId, 'r1');
      } else assert.equal(errors[0]!.code, 'connection_lost');
      platform.refuseWith = null;
      connection.send({ value: 5 });
      await until(() => results.length === 1);
      assert.deepEqual(results, [{ value: 10 }]);
      await connection.close();
    });

    it('gives up a connection that takes too long', async () => {
      const { connection, errors, until } = connect({
        tokenProvider: () => new Promise(() => undefined),
        connectTimeoutMs: 50,
      });
      connection.send({ value: 1 });
      await until(() => errors.length === 1);
      assert.equal(errors[0]!.code, 'timed_out');
      await connection.close();
    });

    it('ends with its signal, with await using, and with the client', async () => {
      const abort = new AbortController();
      const first = connect({ signal: abort.signal });
      first.connection.send({ value: 1 });
      await first.until(() => first.results.length === 1);
      abort.abort();
      assert.equal(first.connection.state, 'closed');
      assert.throws(() => first.connection.send({ value: 2 }), { code: 'client_closed' });
      let kept: RealtimeConnection<Doubled>;
      {
        await using connection = connect().connection;
        kept = connection;
        connection.send({ value: 1 });
      }
      assert.equal(kept.state, 'closed');
      const last = connect().connection;
      realtime.close();
      assert.equal(last.state, 'closed');
      assert.equal(realtime.connect('me/app', { signal: AbortSignal.abort() }).state, 'closed');
    });

    it('keeps the newest inputs when it may keep only some, and throttles to the latest', async () => {
      const buffered = connect({ maxBuffering: 2 });
      for (let value = 0; value < 6; value += 1) buffered.connection.send({ value });
      await buffered.until(() => buffered.results.length === 2);
      assert.deepEqual(buffered.results, [{ value: 8 }, { value: 10 }]);
      await buffered.connection.close();
      const throttled = connect({ throttleIntervalMs: 30 });
      for (let value = 0; value < 6; value += 1) throttled.connection.send({ value });
      await throttled.until(() => throttled.results.length === 2);
      assert.deepEqual(throttled.results, [{ value: 0 }, { value: 10 }]);
      await throttled.connection.close();
      const eager = connect({ tokenProvider: () => new Promise(() => undefined) }).connection;
      for (let value = 0; value < 1_000; value += 1) eager.send({ value });
      assert.throws(() => eager.send({ value: 0 }), { code: 'too_many_requests' });
      await eager.close();
    });

    it('takes other codecs, text and paths', async () => {
      platform.app = (socket, request) => {
        assert.match(request.url!, /^\/run\/me\/app\/fast\/realtime/);
        socket.on('message', (data, isBinary) => {
          assert.equal(isBinary, false);
          socket.send(`{"value":${(JSON.parse((data as Buffer).toString()) as Doubled).value + 1}}`);
        });
      };
      const { connection, results, until } = connect({ encode: JSON.stringify, path: '/fast/realtime' });
      connection.send({ value: 1 });
      await until(() => results.length === 1);
      assert.deepEqual(results, [{ value: 2 }]);
      await connection.close();
      platform.app = (socket, request) => {
        assert.match(request.url!, /^\/run\/me\/app\/realtime(\?|$)/);
        double(socket);
      };
      const named = connect({ decode: (data) => decode(data as Uint8Array) as Doubled }, 'me/app/realtime');
      named.connection.send({ value: 1 });
      await named.until(() => named.results.length === 1);
      await named.connection.close();
    });

    it('refuses what makes no sense', () => {
      const { connection } = connect();
      assert.throws(() => connection.send(Symbol('x') as never), { code: 'invalid_argument' });
      assert.throws(() => connect({ maxBuffering: 61 }), { code: 'invalid_argument' });
      assert.throws(() => connect({}, 'app'), { code: 'invalid_argument' });
      return connection.close();
    });

    it('survives whatever an app sends', async () => {
      const frames = fc.sample(
        fc.oneof(
          fc.uint8Array({ maxLength: 40 }),
          fc.string(),
          fc.json(),
          fc.constantFrom('null', '{"type":"x-fal-error"}', '{"status":"error","error":"Unauthorized"}', '[]', '"x"'),
        ),
        { numRuns: 200, seed: 1 },
      );
      platform.app = (socket) => {
        socket.once('message', () => {
          for (const frame of frames) socket.send(frame);
          socket.close(1000);
        });
      };
      const { connection, results, errors, until } = connect();
      connection.send({ value: 1 });
      await until(() => connection.state === 'idle' && results.length + errors.length > 0);
      assert.ok(results.length > 0 && errors.length > 0);
      for (const error of errors)
        assert.ok(['unexpected_answer', 'app_error', 'unauthenticated'].includes(error.code), error.code);
      await connection.close();
    });
  });
}

interface Seen {
  results: Doubled[];
  errors: ClientError[];
  states: RealtimeState[];
}

interface Watched extends Seen {
  connection: RealtimeConnection<Doubled>;
  /** Waits until what was seen is as wanted. */
  until(isThere: (seen: Seen) => boolean): Promise<void>;
}
