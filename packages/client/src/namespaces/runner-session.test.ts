import assert from 'node:assert/strict';
import { createServer, type Http2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { ConnectRouter } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { IsolateController, type ShellRunnerInput } from '@lanner/protocol/controller';
import { isClientError } from '../errors/client-error.ts';
import { ServerlessClient } from '../serverless-client.ts';
import type { TerminalSize } from './runner-session.ts';

const text = new TextEncoder();

describe('a session in a runner', () => {
  let server: Http2Server;
  let client: ServerlessClient;
  let received: ShellRunnerInput[];
  before(async () => {
    const routes = (router: ConnectRouter): void => {
      router.service(IsolateController, {
        // Says back what it hears, and ends as the command says.
        async *shellRunner(messages) {
          received = [];
          for await (const message of messages) {
            received.push(message);
            if (message.data.length > 0) yield { data: message.data };
            const [{ command, tty } = message] = received;
            if (command[0] === 'hang-up') return;
            if (command[0] === 'go-away') yield { close: true };
            if (message.close || tty === true) break;
          }
          yield { data: text.encode('and this'), stream: 2 };
          yield { exitCode: 7 };
        },
      });
    };
    server = createServer(connectNodeAdapter({ routes }));
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    client = new ServerlessClient({
      host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
      apiKey: 'id:secret',
      environment: { ISOLATE_TEST_MODE: '1', FAL_CONFIG_PATH: '/no/such/file' },
    });
  });
  after(async () => {
    client.close();
    await new Promise((done) => server.close(done));
  });

  test('sends the command, its input in pieces and its end, and tells the streams apart', async () => {
    async function* input(): AsyncGenerator<Uint8Array | TerminalSize> {
      yield { height: 10, width: 20 };
      yield new Uint8Array(10_000).fill(65);
    }
    const heard = { stdout: '', stderr: '' };
    const code = await client.runners.exec('r1', ['cat', '-n'], {
      input: input(),
      onOutput: (data, stream) => (heard[stream] += new TextDecoder().decode(data)),
    });
    assert.equal(code, 7);
    assert.deepEqual([heard.stdout.length, heard.stderr], [10_000, 'and this']);
    const [first, size, ...rest] = received;
    assert.deepEqual([first!.runnerId, first!.tty, first!.command], ['r1', false, ['cat', '-n']]);
    assert.deepEqual([size!.ttySize?.height, size!.ttySize?.width], [10, 20]);
    assert.deepEqual(
      rest.map(({ data, close }) => [data.length, close]),
      [
        [4096, false],
        [4096, false],
        [1808, false],
        [0, true],
      ],
    );
  });

  test('without input says at once that there is none', async () => {
    assert.equal(await client.runners.exec('r1', ['ls']), 7);
    assert.deepEqual(
      received.map(({ close }) => close),
      [false, true],
    );
  });

  test('is under a terminal when it is a shell', async () => {
    assert.equal(await client.runners.shell('r1'), 7);
    assert.deepEqual([received[0]!.tty, received[0]!.command], [true, []]);
  });

  test('that the platform closes ends with 1, and one that breaks off with an error', async () => {
    assert.equal(await client.runners.exec('r1', ['go-away']), 1);
    await assert.rejects(
      client.runners.exec('r1', ['hang-up']),
      (error) => isClientError(error) && error.code === 'unexpected_answer',
    );
  });

  test('ends when its signal fires, though its input goes on', async () => {
    async function* endless(): AsyncGenerator<Uint8Array> {
      yield text.encode('x');
      await new Promise(() => undefined);
    }
    const stop = new AbortController();
    const session = client.runners.exec('r1', ['cat'], {
      input: endless(),
      signal: stop.signal,
      onOutput: () => stop.abort(),
    });
    await assert.rejects(session, (error) => isClientError(error) && error.code === 'cancelled');
  });
});
