import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { createFixture, readText } from './testing/gateway-fixture.ts';

function open(url: string, method = 'GET', headers: Record<string, string> = {}): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    httpRequest(url, { method, headers, agent: false }, resolve).on('error', reject).end();
  });
}

describe('streams from the app', () => {
  it('pass event by event, each before the next is made', async () => {
    const write = Promise.withResolvers<(text: string) => void>();
    await using fixture = await createFixture({
      app: (_, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.flushHeaders();
        write.resolve((text) => void (text === '' ? response.end() : response.write(text)));
      },
    });
    const response = await fetch(`${fixture.url}/alice/hello/stream`, { method: 'POST', body: '{}' });
    const reader = response.body!.getReader();
    const send = await write.promise;
    for (const event of ['data: 1\n\n', ': ping\n\n', 'data: {"ä": "€"}\n\n']) {
      send(event);
      const { value } = await reader.read();
      assert.equal(Buffer.from(value!).toString(), event);
    }
    send('');
    assert.equal((await reader.read()).done, true);
    assert.deepEqual(await fixture.dispatcher.released(1), [{ kind: 'done' }]);
  });

  it('of known length get their head to the caller before their body too', async () => {
    const finish = Promise.withResolvers<() => void>();
    await using fixture = await createFixture({
      app: (_, response) => {
        response.writeHead(200, { 'content-length': '4' });
        response.flushHeaders();
        finish.resolve(() => void response.end('late'));
      },
    });
    const response = await open(`${fixture.url}/alice/hello`);
    assert.equal(response.headers['content-length'], '4');
    (await finish.promise)();
    assert.equal(await readText(response), 'late');
  });

  it('stop at a caller who does not read, and go on when he does', async () => {
    const chunk = Buffer.alloc(64 * 1024, 7);
    const totalBytes = 64 * 1024 * 1024;
    let producedBytes = 0;
    const blocked = Promise.withResolvers<void>();
    await using fixture = await createFixture({
      app: (_, response) => {
        response.writeHead(200, { 'content-length': String(totalBytes) });
        const produce = (): void => {
          while (producedBytes < totalBytes) {
            producedBytes += chunk.length;
            if (!response.write(chunk)) {
              response.once('drain', produce);
              return;
            }
          }
          response.end();
        };
        produce();
      },
    });
    const response = await open(`${fixture.url}/alice/hello`);
    response.pause();
    // Production has stopped when nothing more was made for a good number of turns of the loop.
    let before = -1;
    let calm = 0;
    const watch = setInterval(() => {
      calm = producedBytes === before ? calm + 1 : 0;
      before = producedBytes;
      if (calm > 20) blocked.resolve();
    }, 10);
    await blocked.promise;
    clearInterval(watch);
    assert.ok(producedBytes < totalBytes / 2, `${producedBytes} bytes were taken although nobody read`);
    let receivedBytes = 0;
    for await (const part of response) receivedBytes += (part as Buffer).length;
    assert.equal(receivedBytes, totalBytes);
  });

  it('keep every byte of a large body in both directions', async () => {
    const hashOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
    await using fixture = await createFixture({ app: (request, response) => void request.pipe(response) });
    const body = Buffer.alloc(8 * 1024 * 1024);
    for (let index = 0; index < body.length; index += 4) body.writeUInt32LE((index * 2654435761) >>> 0, index);
    for (const init of [
      { method: 'POST', body },
      { method: 'POST', body: new Blob([body]).stream(), duplex: 'half' },
    ] as RequestInit[]) {
      const response = await fetch(`${fixture.url}/alice/hello`, init);
      assert.equal(hashOf(Buffer.from(await response.arrayBuffer())), hashOf(body));
    }
  });

  it('bring their trailers', async () => {
    await using fixture = await createFixture({
      app: (_, response) => {
        response.writeHead(200, { trailer: 'x-sum' });
        response.write('body');
        response.addTrailers({ 'x-sum': '42' });
        response.end();
      },
    });
    const response = await open(`${fixture.url}/alice/hello`);
    await readText(response);
    assert.equal(response.trailers['x-sum'], '42');
  });
});

describe('answers without a body', () => {
  it('to HEAD keep the length', async () => {
    await using fixture = await createFixture({
      app: (_, response) => response.writeHead(200, { 'content-length': '1234' }).end(),
    });
    const response = await open(`${fixture.url}/alice/hello`, 'HEAD');
    assert.equal(response.headers['content-length'], '1234');
    assert.equal(await readText(response), '');
  });

  for (const status of [204, 304]) {
    it(`with ${status} arrive as they are, and the connection lives on`, async () => {
      await using fixture = await createFixture({
        app: (_, response) => response.writeHead(status, { etag: '"a"' }).end(),
      });
      for (let turn = 0; turn < 2; turn += 1) {
        const response = await open(`${fixture.url}/alice/hello`);
        assert.equal(response.statusCode, status);
        assert.equal(response.headers.etag, '"a"');
        assert.equal(response.headers['transfer-encoding'], undefined);
        assert.equal(await readText(response), '');
      }
    });
  }
});

describe('requests', () => {
  it('with expect: 100-continue are told to go on', async () => {
    await using fixture = await createFixture({
      app: async (request, response) => response.end(`${await readText(request)} ${String(request.headers.expect)}`),
    });
    const socket = connect(fixture.port, '127.0.0.1');
    socket.write(
      'POST /alice/hello HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 4\r\nconnection: close\r\n\r\n',
    );
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk.toString();
      if (received === 'HTTP/1.1 100 Continue\r\n\r\n') socket.write('body');
    });
    await once(socket, 'close');
    assert.match(received, /body undefined/);
  });

  it('from HTTP/1.0 callers get an answer that ends with the connection', async () => {
    await using fixture = await createFixture({
      app: (_, response) => {
        response.write('part ');
        response.end('two');
      },
    });
    const socket = connect(fixture.port, '127.0.0.1');
    socket.write('GET /alice/hello HTTP/1.0\r\n\r\n');
    let received = '';
    socket.on('data', (chunk) => (received += chunk.toString()));
    await once(socket, 'close');
    assert.doesNotMatch(received, /transfer-encoding/i);
    assert.ok(received.endsWith('\r\n\r\npart two'));
  });

  it('may be answered before their body is complete', async () => {
    await using fixture = await createFixture({
      app: (_, response) => response.writeHead(400, { connection: 'close' }).end('enough'),
      limits: { discardBytes: 64 * 1024 * 1024 },
    });
    const socket = connect(fixture.port, '127.0.0.1');
    const sizeBytes = 4 * 1024 * 1024;
    socket.write(`POST /alice/hello HTTP/1.1\r\nhost: x\r\ncontent-length: ${sizeBytes}\r\n\r\n`);
    socket.write(Buffer.alloc(1024));
    let received = '';
    const answered = Promise.withResolvers<void>();
    socket.on('data', (chunk) => {
      received += chunk.toString();
      if (received.includes('enough')) answered.resolve();
      if (received.split('HTTP/1.1').length === 3) socket.end();
    });
    await answered.promise;
    assert.match(received, /^HTTP\/1\.1 400 /);
    // The rest is swallowed, and the same connection takes the next request.
    socket.write(Buffer.alloc(sizeBytes - 1024));
    socket.write('GET /alice/hello HTTP/1.1\r\nhost: x\r\n\r\n');
    await once(socket, 'close');
    assert.equal((await fixture.dispatcher.released(2)).length, 2);
  });

  it('reuse the connection to the app', async () => {
    let connections = 0;
    await using fixture = await createFixture();
    fixture.appServer.on('connection', () => (connections += 1));
    for (let turn = 0; turn < 5; turn += 1) await (await fetch(`${fixture.url}/alice/hello`)).text();
    assert.equal(connections, 1);
  });
});
