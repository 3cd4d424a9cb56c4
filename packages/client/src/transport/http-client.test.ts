import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { isClientError } from '../errors/client-error.ts';
import { createSettings } from '../resolve/settings.ts';
import { HttpClient, readJson } from './http-client.ts';
import { createNodeTransport } from './node-transport.ts';
import { retryCall } from './retry.ts';
import { parseEvent, readServerSentEvents } from './server-sent-events.ts';

describe('plain HTTP', () => {
  let server: Server;
  let url: string;
  let http: HttpClient;
  let answer: (request: IncomingMessage, response: ServerResponse) => void;
  before(async () => {
    server = createServer((request, response) => answer(request, response));
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const settings = createSettings({ apiKey: 'id:secret' }, {});
    http = new HttpClient(settings, async () => undefined, createNodeTransport({}));
  });
  after(async () => {
    http.close();
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });

  const codeOf = async (work: Promise<unknown>): Promise<string> => {
    const error: unknown = await work.then(
      (value) => value,
      (thrown: unknown) => thrown,
    );
    assert.ok(isClientError(error), String(error));
    return error.code;
  };
  const half = (_request: IncomingMessage, response: ServerResponse): void => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' }).write('{"half":');
  };

  it('that stops in the middle of an answer fails with our errors too', async () => {
    answer = half;
    assert.equal(await codeOf(http.json(url, { timeoutMs: 100 })), 'timed_out');
    assert.equal(await codeOf(http.json(url, { signal: AbortSignal.timeout(100) })), 'cancelled');
    answer = (request, response) => {
      half(request, response);
      setTimeout(() => response.destroy(), 50);
    };
    assert.equal(await codeOf(http.json(url)), 'connection_lost');
  });

  it('that ends in the middle of a stream of events tells why', async () => {
    const events = async (options: { timeoutMs?: number; signal?: AbortSignal }): Promise<unknown[]> => {
      const response = await http.send(url, options);
      const found = [];
      for await (const event of readServerSentEvents(response, options.signal)) found.push(parseEvent(event));
      return found;
    };
    answer = (_request, response) => void response.writeHead(200).write('data: 1\n\n');
    assert.equal(await codeOf(events({ timeoutMs: 100 })), 'timed_out');
    assert.equal(await codeOf(events({ signal: AbortSignal.timeout(100) })), 'cancelled');
    answer = (_request, response) => void response.writeHead(200).end('data: {no\n\n');
    assert.equal(await codeOf(events({})), 'unexpected_answer');
  });

  it('reads a body to its end, and lets the connection go when a reader leaves', async () => {
    const sent = Buffer.alloc(3_000_000, 'x');
    answer = (_request, response) => void response.end(sent);
    assert.equal((await (await http.send(url)).arrayBuffer()).byteLength, sent.length);
    const closed = new Promise<void>((done) => {
      answer = (_request, response) => {
        response.write('first');
        response.on('close', () => done());
      };
    });
    const reader = (await http.send(url)).body!.getReader();
    await reader.read();
    await reader.cancel();
    await closed;
  });

  it('has one time for all tries of a call and the waits between them', async () => {
    let tries = 0;
    answer = (_request, response) => {
      tries += 1;
      response.writeHead(503).end('{"detail":"soon"}');
    };
    const policy = { attempts: 10, firstDelayMs: 100, longestDelayMs: 5000, jitter: 0, shouldRetry: () => true };
    const beganMs = performance.now();
    const left: number[] = [];
    const work = retryCall(policy, { timeoutMs: 500 }, async (call) => {
      left.push(call.timeoutMs!);
      return readJson(await http.send(url, call), url);
    });
    assert.equal(await codeOf(work), 'server_unavailable');
    assert.ok(performance.now() - beganMs < 2000, 'the tenth try would be after a minute');
    assert.ok(tries >= 2 && tries <= 4, `${tries} tries`);
    assert.deepEqual(
      left.toSorted((a, b) => b - a),
      left,
    );
  });
});
