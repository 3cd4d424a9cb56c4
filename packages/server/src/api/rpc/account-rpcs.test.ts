import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { startApiServer, type ApiServer } from '../testing/api-server.ts';
import { assertStatus } from '../testing/assert-status.ts';
import { parseKeyGrant } from './keys.ts';

describe('keys', () => {
  let server: ApiServer;
  before(async () => (server = await startApiServer()));
  after(() => server.stop());

  it('makes a key that works, and lists it without its secret', async () => {
    const { keyId, keySecret } = await server.client().createUserKey({ policyPreset: 'API', alias: 'for the demo' });
    assert.ok(keySecret.length >= 32);
    const { userKeys } = await server.client().listUserKeys({});
    const listed = userKeys.find((key) => key.keyId === keyId);
    assert.equal(listed?.alias, 'for the demo');
    assert.equal(listed.scope, 1);
    assert.ok(Math.abs(timestampMs(listed.createdAt!) - Date.now()) < 60_000);
    assert.ok(
      !JSON.stringify(userKeys, (_name, value: unknown) =>
        typeof value === 'bigint' ? String(value) : value,
      ).includes(keySecret),
    );
  });

  it('lists a key of neither old scope with a number that clients read as "none"', async () => {
    const { keyId } = await server.client().createUserKey({ policy: { permissions: ['serverless:apps:run'] } });
    const { userKeys } = await server.client().listUserKeys({});
    assert.equal(userKeys.find((key) => key.keyId === keyId)?.scope, 2);
  });

  it('decides between several grants: policy, preset, scope, and ADMIN for none', () => {
    const policy = { permissions: ['a', 'b', 'a'] } as never;
    assert.deepEqual(parseKeyGrant({ policy, policyPreset: 'API', scope: 0 }), { permissions: ['a', 'b'] });
    assert.deepEqual(parseKeyGrant({ policyPreset: 'DEPLOY', scope: 1 }), { preset: 'DEPLOY' });
    assert.deepEqual(parseKeyGrant({ scope: 1 }), { preset: 'API' });
    assert.deepEqual(parseKeyGrant({ scope: 0 }), { preset: 'FULL' });
    assert.deepEqual(parseKeyGrant({}), { preset: 'FULL' });
    assert.throws(() => parseKeyGrant({ scope: 5 as never }), { code: 'invalid_argument', message: /scope number 5/ });
  });

  it('refuses unknown presets and permissions by name', async () => {
    const client = server.client();
    await assertStatus(client.createUserKey({ policyPreset: 'ROOT' }), 'InvalidArgument', /"ROOT".*FULL, API/);
    await assertStatus(
      client.createUserKey({ policy: { permissions: ['x:y:z'] } }),
      'InvalidArgument',
      /Unknown permission "x:y:z"/,
    );
    await assertStatus(
      client.createUserKey({ policy: { permissions: [] } }),
      'InvalidArgument',
      /without any permission/,
    );
  });

  it('does not let a key make a mightier one', async () => {
    const client = server.client(await server.newKey({ permissions: ['account:keys:write', 'serverless:apps:run'] }));
    await assertStatus(client.createUserKey({}), 'PermissionDenied', /^Insufficient permissions/);
    await assertStatus(client.createUserKey({ policyPreset: 'API' }), 'PermissionDenied', /^Insufficient permissions/);
    await client.createUserKey({ policy: { permissions: ['serverless:apps:run'] } });
  });

  it('does not revoke a key of another account', async () => {
    const other = await server.store.accounts.create({ nickname: 'bob', fullName: 'Bob', isPersonal: true });
    const client = server.client(await server.newKey({ preset: 'FULL' }, other));
    await assertStatus(client.revokeUserKey({ keyId: server.key.split(':')[0]! }), 'NotFound', /not found/);
    await server.client().listUserKeys({});
  });
});

describe('secrets', () => {
  let server: ApiServer;
  before(async () => {
    server = await startApiServer();
    await server.client().createEnvironment({ name: 'staging' });
  });
  after(() => server.stop());

  it('are listed by name in their own environment, never with their value', async () => {
    const client = server.client();
    await client.setSecret({ name: 'TOKEN', value: 'very secret', environmentName: 'staging', defaultExposed: false });
    const { secrets } = await client.listSecrets({ environmentName: 'staging' });
    assert.equal(secrets.length, 1);
    assert.equal(secrets[0]?.name, 'TOKEN');
    assert.equal(secrets[0].environmentName, 'staging');
    assert.equal(secrets[0].defaultExposed, false);
    assert.ok(Math.abs(timestampMs(secrets[0].createdTime!) - Date.now()) < 60_000);
    assert.ok(!Object.values(secrets[0]).includes('very secret'));
    assert.deepEqual((await client.listSecrets({})).secrets, []);
  });

  it('take `main` for the environment that an unset name means', async () => {
    const client = server.client();
    await client.setSecret({ name: 'A', value: '1', environmentName: 'main' });
    assert.deepEqual(
      (await client.listSecrets({})).secrets.map((secret) => secret.name),
      ['A'],
    );
  });

  it('are deleted by an absent value, not by an empty one', async () => {
    const client = server.client();
    await client.setSecret({ name: 'EMPTY', value: '' });
    assert.ok((await client.listSecrets({})).secrets.some((secret) => secret.name === 'EMPTY'));
    await client.setSecret({ name: 'EMPTY' });
    assert.ok(!(await client.listSecrets({})).secrets.some((secret) => secret.name === 'EMPTY'));
    await assertStatus(client.setSecret({ name: 'EMPTY' }), 'NotFound', /"EMPTY" was not found/);
  });

  it('have no exposure of their own when a client sends none', async () => {
    await server.client().setSecret({ name: 'PLAIN', value: 'x' });
    const { secrets } = await server.client().listSecrets({});
    assert.equal(secrets.find((secret) => secret.name === 'PLAIN')?.defaultExposed, undefined);
  });

  it('refuse unknown environments and names that are no variables', async () => {
    const client = server.client();
    await assertStatus(client.setSecret({ name: 'A', value: 'x', environmentName: 'nope' }), 'NotFound', /"nope"/);
    await assertStatus(client.listSecrets({ environmentName: 'nope' }), 'NotFound', /"nope"/);
    await assertStatus(client.setSecret({ name: 'NOT A NAME', value: 'x' }), 'InvalidArgument', /NOT A NAME/);
  });
});

describe('environments', () => {
  let server: ApiServer;
  before(async () => (server = await startApiServer()));
  after(() => server.stop());

  it('are created, listed and deleted', async () => {
    const client = server.client();
    const { environment } = await client.createEnvironment({ name: 'staging', description: 'before production' });
    assert.equal(environment?.name, 'staging');
    assert.equal(environment.description, 'before production');
    assert.equal(environment.isDefault, false);
    assert.ok(Math.abs(timestampMs(environment.createdAt!) - Date.now()) < 60_000);
    const { environments } = await client.listEnvironments({});
    assert.deepEqual(
      environments.map(({ name, isDefault }) => [name, isDefault]),
      [
        ['main', true],
        ['staging', false],
      ],
    );
    await client.deleteEnvironment({ name: 'staging' });
    assert.equal((await client.listEnvironments({})).environments.length, 1);
  });

  it('refuse a taken name, an unknown one, and losing main', async () => {
    const client = server.client();
    await client.createEnvironment({ name: 'taken' });
    await assertStatus(client.createEnvironment({ name: 'taken' }), 'AlreadyExists', /"taken"/);
    await assertStatus(client.deleteEnvironment({ name: 'nope' }), 'NotFound', /"nope"/);
    await assertStatus(client.deleteEnvironment({ name: 'main' }), 'FailedPrecondition', /cannot be deleted/);
    await assertStatus(client.createEnvironment({ name: 'no spaces' }), 'InvalidArgument', /no spaces/);
  });
});
