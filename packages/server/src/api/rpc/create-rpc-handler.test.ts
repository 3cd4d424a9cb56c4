import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type IncomingHttpHeaders } from 'node:http2';
import { after, before, describe, it } from 'node:test';
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { Health } from '@lanner/protocol/health';
import { startApiServer, type ApiServer } from '../testing/api-server.ts';
import { assertStatus, collect } from '../testing/assert-status.ts';
import { aRun } from '../testing/requests.ts';

describe('the controller on the wire', () => {
  let server: ApiServer;
  before(async () => (server = await startApiServer()));
  after(() => server.stop());

  for (const protocol of ['grpc', 'grpc-web', 'connect', 'connect-http1'] as const) {
    it(`speaks ${protocol}, single answers, streams and refusals`, async () => {
      const client = server.client(server.key, protocol);
      assert.equal((await client.listUserKeys({})).userKeys.length, 1);
      const messages = await collect(client.run(aRun()));
      assert.equal(messages.at(-1)?.status?.state, 1);
      await assertStatus(client.deleteAlias({ alias: 'nope' }), 'NotFound', /"nope" was not found/);
      await assertStatus(collect(client.run({})), 'InvalidArgument', /At least one environment/);
      await assertStatus(server.client(null, protocol).listUserKeys({}), 'Unauthenticated', /required/);
    });
  }

  it('writes one line for each call, with its code and no secrets', async () => {
    server.logged.length = 0;
    await server.client().setSecret({ name: 'LOGGED', value: 'very secret' });
    await assertStatus(collect(server.client().run({})), 'InvalidArgument', /./);
    const lines = server.logged.filter((line) => line.message === 'rpc finished').map((line) => line.fields);
    assert.deepEqual(
      lines.map((fields) => [(fields as { rpc: string }).rpc, (fields as { code: string }).code]),
      [
        ['SetSecret', 'ok'],
        ['Run', 'invalid_argument'],
      ],
    );
    const text = JSON.stringify(server.logged);
    assert.ok(!text.includes('very secret') && !text.includes(server.key.split(':')[1]!));
  });

  it('answers methods it does not have yet with a sentence', async () => {
    const client = server.client();
    await assertStatus(collect(client.map({})), 'Unimplemented', /^Map is not supported/);
    async function* runs() {
      yield {};
    }
    await assertStatus(collect(client.interactiveRun(runs())), 'Unimplemented', /^Interactive runs are not supported/);
  });

  const post = async (
    path: string,
    contentType: string,
    body: Buffer,
  ): Promise<IncomingHttpHeaders & { body: string }> => {
    const session = connect(`http://${server.authority}`);
    try {
      const [keyId, keySecret] = server.key.split(':');
      const stream = session.request({
        ':method': 'POST',
        ':path': path,
        'content-type': contentType,
        'auth-key-id': keyId!,
        'auth-key': keySecret!,
      });
      stream.end(body);
      let trailers: IncomingHttpHeaders = {};
      stream.on('trailers', (fields) => (trailers = fields));
      const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
      let text = '';
      for await (const chunk of stream) text += String(chunk);
      return { ...headers, ...trailers, body: text };
    } finally {
      session.destroy();
    }
  };

  it('answers an unknown method in the protocol it was asked in', async () => {
    const grpc = await post('/controller.IsolateController/Nope', 'application/grpc', Buffer.alloc(5));
    assert.equal(grpc['grpc-status'], '12');
    assert.match(decodeURIComponent(String(grpc['grpc-message'])), /IsolateController\/Nope is unknown here/);
    const json = await post('/controller.IsolateController/Nope', 'application/json', Buffer.from('{}'));
    assert.equal(json[':status'], 404);
    assert.equal((JSON.parse(json.body) as { code: string }).code, 'unimplemented');
  });

  it('refuses a message that cannot be read, and goes on serving', async () => {
    const garbage = Buffer.concat([Buffer.from([0, 0, 0, 0, 4]), Buffer.from('\xff\xff\xff\xff', 'latin1')]);
    const answer = await post('/controller.IsolateController/ListUserKeys', 'application/grpc', garbage);
    assert.notEqual(answer['grpc-status'], '0');
    const truncated = await post(
      '/controller.IsolateController/ListUserKeys',
      'application/grpc',
      garbage.subarray(0, 7),
    );
    assert.notEqual(truncated['grpc-status'], '0');
    await server.client().listUserKeys({});
  });

  it('refuses a message that says it is larger than 2 GiB - 1', async () => {
    const head = Buffer.alloc(5);
    head.writeUInt32BE(2 ** 31, 1);
    const answer = await post('/controller.IsolateController/ListUserKeys', 'application/grpc', head);
    assert.equal(answer['grpc-status'], '8');
  });
});

describe('the health service', () => {
  let server: ApiServer;
  let sessions: Http2SessionManager;
  before(async () => {
    server = await startApiServer();
    sessions = new Http2SessionManager(`http://${server.authority}`);
  });
  after(async () => {
    sessions.abort();
    await server.stop();
  });

  const client = () =>
    createClient(Health, createGrpcTransport({ baseUrl: `http://${server.authority}`, sessionManager: sessions }));

  it('wants no credentials and tells whether the server serves', async () => {
    assert.equal((await client().check({})).status, 1);
    assert.equal((await client().check({ service: 'controller.IsolateController' })).status, 1);
    server.setServing(false);
    assert.equal((await client().check({})).status, 2);
    server.setServing(true);
    await assertStatus(client().check({ service: 'nope' }), 'NotFound', /"nope"/);
  });

  it('keeps a watcher until it leaves', async () => {
    for await (const { status } of client().watch({})) {
      assert.equal(status, 1);
      break;
    }
  });
});
