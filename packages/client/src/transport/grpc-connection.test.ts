import assert from 'node:assert/strict';
import { createServer, type Http2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { after, afterEach, before, describe, test } from 'node:test';
import { Code, ConnectError, type ConnectRouter } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { IsolateController } from '@lanner/protocol/controller';
import { isClientError } from '../errors/client-error.ts';
import { ServerlessClient } from '../serverless-client.ts';

const code = (wanted: string) => (error: unknown) => {
  assert.ok(isClientError(error));
  assert.equal(error.code, wanted, String(error));
  return true;
};

describe('the connection to the controller', () => {
  let server: Http2Server;
  let client: ServerlessClient;
  let sessions = 0;
  let calls = 0;
  let metadata: Headers;
  let behave: (call: number) => void | Promise<void> = () => undefined;
  const routes = (router: ConnectRouter): void => {
    const answer = async (headers: Headers): Promise<void> => {
      metadata = headers;
      await behave(++calls);
    };
    router.service(IsolateController, {
      async listUserKeys(_, context) {
        await answer(context.requestHeader);
        return {};
      },
      async revokeUserKey(_, context) {
        await answer(context.requestHeader);
        return {};
      },
    });
  };
  before(async () => {
    server = createServer(connectNodeAdapter({ routes }));
    server.on('session', () => sessions++);
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    client = new ServerlessClient({
      host,
      apiKey: 'the-id:the:secret',
      environment: { ISOLATE_TEST_MODE: '1', FAL_CONFIG_PATH: '/no/such/file' },
    });
  });
  after(async () => {
    client.close();
    await new Promise((done) => server.close(done));
  });
  afterEach(() => {
    calls = 0;
    behave = () => undefined;
  });

  test('is one for all calls, and signs them', async () => {
    await Promise.all([client.keys.list(), client.keys.list(), client.keys.revoke('x')]);
    await client.keys.list();
    assert.equal(sessions, 1);
    assert.equal(metadata.get('auth-key-id'), 'the-id');
    assert.equal(metadata.get('auth-key'), 'the:secret');
  });

  test('repeats reads while the server is unavailable, five tries in all', async () => {
    behave = (call) => {
      if (call < 3) throw new ConnectError('soon', Code.Unavailable);
    };
    await client.keys.list();
    assert.equal(calls, 3);
    calls = 0;
    behave = () => {
      throw new ConnectError('never', Code.Unavailable);
    };
    await assert.rejects(async () => client.keys.list(), code('server_unavailable'));
    assert.equal(calls, 5);
  });

  test('never repeats a change that may have reached the server, nor any other error', async () => {
    behave = () => {
      throw new ConnectError('soon', Code.Unavailable);
    };
    await assert.rejects(client.keys.revoke('x'), code('server_unavailable'));
    assert.equal(calls, 1);
    behave = () => {
      throw new ConnectError('busy', Code.ResourceExhausted);
    };
    await assert.rejects(async () => client.keys.list(), code('too_many_requests'));
    assert.equal(calls, 2);
  });

  test('gives every status a code and keeps the sentence of the server', async () => {
    const statuses: [Code, string][] = [
      [Code.Unauthenticated, 'unauthenticated'],
      [Code.PermissionDenied, 'permission_denied'],
      [Code.NotFound, 'not_found'],
      [Code.AlreadyExists, 'already_exists'],
      [Code.FailedPrecondition, 'conflict'],
      [Code.InvalidArgument, 'rejected'],
      [Code.Unimplemented, 'not_supported_by_server'],
      [Code.Internal, 'server_error'],
    ];
    for (const [status, wanted] of statuses) {
      behave = () => {
        throw new ConnectError('The sentence of the server.', status, { 'x-fal-request-id': 'r9' });
      };
      await assert.rejects(
        async () => client.keys.list(),
        (error: Error & { requestId?: string }) => {
          assert.equal(error.message, 'The sentence of the server.');
          assert.equal(error.requestId, 'r9');
          return code(wanted)(error);
        },
      );
    }
  });

  test('ends calls by time and by signal', async () => {
    behave = () => new Promise((settle) => setTimeout(settle, 300));
    await assert.rejects(async () => client.keys.list({ timeoutMs: 40 }), code('timed_out'));
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 40);
    await assert.rejects(async () => client.keys.list({ signal: stop.signal }), code('cancelled'));
  });

  test('calls the server too old when it does not know a call', async () => {
    await assert.rejects(async () => client.secrets.list(), code('not_supported_by_server'));
  });

  test('is gone when the client is closed', async () => {
    const other = new ServerlessClient({ host: '127.0.0.1:1', apiKey: 'a:b', environment: { ISOLATE_TEST_MODE: '1' } });
    other.close();
    await assert.rejects(async () => other.keys.list(), code('client_closed'));
    await assert.rejects(other.accounts.current(), code('client_closed'));
  });
});
