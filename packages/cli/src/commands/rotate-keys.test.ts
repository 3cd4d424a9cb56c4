import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { get, lanner, serve, temporaryDataDir, variables } from '../testing/lanner.ts';

test('rotate-key replaces the first key at once; rotate-secrets-key wants the platform stopped', async (t) => {
  const dataDir = temporaryDataDir(t);
  const server = await serve(dataDir, ['--account', 'alice']);
  const before = await variables(dataDir);
  const call = async (key: string): Promise<number> => {
    const ca = readFileSync(before.SSL_CERT_FILE!, 'utf8');
    return (await get(`https://${before.FAL_REST_HOST}/users/current`, ca, { authorization: `Key ${key}` })).status;
  };
  assert.equal(await call(before.FAL_KEY!), 200);

  const rotated = await lanner(['rotate-key'], dataDir, {
    FAL_KEY: 'of:somebody-else',
    FAL_GRPC_HOST: 'nowhere.invalid',
  });
  assert.deepEqual([rotated.code, rotated.stdout.includes('holds a new key')], [0, true]);
  const after = await variables(dataDir);
  assert.notEqual(after.FAL_KEY, before.FAL_KEY);
  assert.equal(await call(after.FAL_KEY!), 200);
  assert.equal(await call(before.FAL_KEY!), 401);
  assert.equal(statSync(join(dataDir, 'credentials')).mode & 0o777, 0o600);
  for (const text of [rotated.stdout, rotated.stderr]) assert.ok(!text.includes(after.FAL_KEY!.split(':')[1]!));
  const keys = await lanner(['keys', 'list', '--json', '--data-dir', dataDir], dataDir);
  assert.equal(JSON.parse(keys.stdout).keys.length, 1);

  const secret = await lanner(['secrets', 'set', 'TOKEN=value', '--data-dir', dataDir], dataDir);
  assert.equal(secret.code, 0, secret.stderr);
  const early = await lanner(['rotate-secrets-key'], dataDir);
  assert.equal(early.code, 1);
  assert.match(early.stderr, new RegExp(`pid ${server.child.pid} uses the data folder`));
  assert.match(early.stderr, /lanner stop/);
  await lanner(['stop'], dataDir);
  const old = readFileSync(join(dataDir, 'secrets.key'), 'utf8');
  const late = await lanner(['rotate-secrets-key'], dataDir);
  assert.equal(late.code, 0, late.stderr);
  assert.match(late.stdout, /secrets\.key is new, and \d+ values are encrypted with it/);
  assert.notEqual(readFileSync(join(dataDir, 'secrets.key'), 'utf8'), old);
  await serve(dataDir);
  const listed = await lanner(['secrets', 'list', '--json', '--data-dir', dataDir], dataDir);
  assert.match(listed.stdout, /TOKEN/);
});

test('rotating what is not there is refused, and makes nothing', async (t) => {
  const dataDir = temporaryDataDir(t);
  const missing = await lanner(['rotate-secrets-key'], dataDir);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /There is no Lanner platform in/);
  const stopped = await lanner(['rotate-key'], dataDir);
  assert.equal(stopped.code, 1);
  assert.match(stopped.stderr, /No Lanner server runs/);
});
