import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { after, before, describe, it } from 'node:test';
import { rpcPermissions } from '../../auth/permission-map.ts';
import { IsolateController } from '@lanner/protocol/controller';
import { startApiServer, type ApiServer } from '../testing/api-server.ts';
import { assertStatus, collect } from '../testing/assert-status.ts';

describe('credentials of RPCs', () => {
  let server: ApiServer;
  before(async () => (server = await startApiServer()));
  after(() => server.stop());

  it('refuses a call without any', async () => {
    await assertStatus(server.client(null).listUserKeys({}), 'Unauthenticated', /^Authentication is required\./);
  });

  it('refuses an unknown id and a wrong secret with the same words', async () => {
    const [keyId] = server.key.split(':');
    for (const key of ['nobody:secret', `${keyId}:wrong`]) {
      await assertStatus(
        server.client(key).listUserKeys({}),
        'Unauthenticated',
        /^No user found for Key ID and Secret$/,
      );
    }
  });

  it('takes the key as a Bearer token too', async () => {
    const client = server.client(null);
    const answer = await client.listUserKeys({}, { headers: { authorization: `Bearer ${server.key}` } });
    assert.equal(answer.userKeys.length, 1);
  });

  it('refuses a key that was revoked at once', async () => {
    const key = await server.newKey({ preset: 'FULL' });
    const client = server.client(key);
    await client.listUserKeys({});
    await server.client().revokeUserKey({ keyId: key.split(':')[0]! });
    await assertStatus(client.listUserKeys({}), 'Unauthenticated', /No user found/);
  });

  it('says "Insufficient permissions" when a key lacks what a call needs, streams included', async () => {
    const client = server.client(await server.newKey({ preset: 'API' }));
    await assertStatus(client.listAliases({}), 'PermissionDenied', /^Insufficient permissions/);
    await assertStatus(collect(client.run({})), 'PermissionDenied', /^Insufficient permissions/);
    await assertStatus(collect(client.registerApplication({})), 'PermissionDenied', /^Insufficient permissions/);
  });

  it('has a permission for every method', () => {
    const methods = IsolateController.methods.map((method) => method.name).toSorted();
    assert.deepEqual(Object.keys(rpcPermissions).toSorted(), methods);
  });

  it('refuses a stranger before the message has arrived', async () => {
    const session = connect(`http://${server.authority}`);
    try {
      const stream = session.request({
        ':method': 'POST',
        ':path': '/controller.IsolateController/Run',
        'content-type': 'application/grpc',
        'auth-key-id': 'nobody',
        'auth-key': 'secret',
      });
      // The first bytes of a message of 1 GiB; the rest never comes.
      const head = Buffer.alloc(5 + 1024);
      head.writeUInt32BE(2 ** 30, 1);
      stream.write(head);
      stream.resume();
      const trailers = once(stream, 'trailers');
      await once(stream, 'response');
      const [fields] = (await trailers) as [Record<string, string>];
      assert.equal(fields['grpc-status'], '16');
      stream.close();
    } finally {
      session.destroy();
    }
  });
});
