import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { isLannerError, systemClock, type ErrorCode } from '@lanner/protocol';
import { createAccounts } from '../auth/create-accounts.ts';
import { createSqliteAccountStore } from '../auth/sqlite-account-store.ts';
import type { Database } from '../db/database.ts';
import { openTemporaryDatabase } from '../db/temporary-database.ts';
import { createChangeFeed, type Change } from '../lib/change-feed.ts';
import { createEnvironments } from './create-environments.ts';
import { createSecrets } from './create-secrets.ts';
import type { Environments, Secrets } from './environments-and-secrets.ts';
import { openSecretBox } from './open-secret-box.ts';
import { createSecretBox } from './secret-box.ts';
import { createSqliteEnvironmentStore } from './sqlite-environment-store.ts';
import { createSqliteSealedValues } from './sqlite-sealed-values.ts';
import { createSqliteSecretStore } from './sqlite-secret-store.ts';

const hasCode =
  (code: ErrorCode, text = /./) =>
  (error: unknown) =>
    isLannerError(error) && error.code === code && text.test(error.message);

describe('secret box', () => {
  const box = createSecretBox(Buffer.alloc(32, 1));
  const place = ['account', 'main', 'TOKEN'];

  it('opens what it sealed', () => {
    for (const value of ['', 'value', 'ü\n"', 'x'.repeat(60_000)])
      assert.equal(box.open(box.seal(value, place), place), value);
  });

  it('seals the same value differently each time, and hides it', () => {
    const [first, second] = [box.seal('hunter2hunter2', place), box.seal('hunter2hunter2', place)];
    assert.notDeepEqual(first, second);
    assert.ok(!Buffer.from(first).toString('latin1').includes('hunter2'));
  });

  it('opens nothing that was moved, altered, cut or sealed with another key', () => {
    const sealed = box.seal('value', place);
    for (const elsewhere of [
      ['other', 'main', 'TOKEN'],
      ['account', 'staging', 'TOKEN'],
      ['account', 'main', 'OTHER'],
      ['account,main', 'TOKEN'],
    ]) {
      assert.throws(() => box.open(sealed, elsewhere));
    }
    for (let index = 0; index < sealed.length; index += 1) {
      const altered = Uint8Array.from(sealed);
      altered[index]! ^= 1;
      assert.throws(() => box.open(altered, place), `byte ${index}`);
    }
    assert.throws(() => box.open(sealed.subarray(0, 20), place));
    assert.throws(() => box.open(sealed.subarray(0, sealed.length - 1), place));
    assert.throws(() => createSecretBox(Buffer.alloc(32, 2)).open(sealed, place));
  });
});

describe('environments and secrets', () => {
  let folder: string;
  let keyPath: string;
  let database: Database;
  let changes: Change[];
  let environments: Environments;
  let secrets: Secrets;
  let ada: string;
  let bob: string;

  const openBox = () => openSecretBox(keyPath, createSqliteSealedValues(database));

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lanner-secrets-'));
    keyPath = join(folder, 'keys', 'secrets.key');
    database = await openTemporaryDatabase();
    changes = [];
    const changeFeed = createChangeFeed((error) => assert.fail(error as Error));
    changeFeed.subscribe((change) => changes.push(change));
    const common = { clock: systemClock, changeFeed };
    environments = createEnvironments({ ...common, store: createSqliteEnvironmentStore(database) });
    secrets = createSecrets({ ...common, store: createSqliteSecretStore(database), box: await openBox() });
    const accounts = createAccounts({ store: createSqliteAccountStore(database), clock: systemClock });
    ada = (await accounts.create({ nickname: 'ada', fullName: '', isPersonal: true })).accountId;
    bob = (await accounts.create({ nickname: 'bob', fullName: '', isPersonal: true })).accountId;
  });
  afterEach(async () => {
    await database.close();
    await rm(folder, { recursive: true, force: true });
  });

  describe('environments', () => {
    it('begin with main and grow by name', async () => {
      const beforeMs = Date.now();
      const created = await environments.create(ada, 'staging', 'before production');
      assert.deepEqual(
        { ...created, createdAtMs: 0 },
        { name: 'staging', description: 'before production', isDefault: false, createdAtMs: 0 },
      );
      assert.ok(created.createdAtMs >= beforeMs && created.createdAtMs <= Date.now());
      assert.deepEqual(
        (await environments.list(ada)).map(({ name, isDefault }) => [name, isDefault]),
        [
          ['main', true],
          ['staging', false],
        ],
      );
      assert.deepEqual(
        (await environments.list(bob)).map(({ name }) => name),
        ['main'],
      );
    });

    it('refuse a taken name, also main, and one that is no suffix', async () => {
      await environments.create(ada, 'staging', null);
      await assert.rejects(environments.create(ada, 'staging', null), hasCode('already_exists', /"staging"/));
      await assert.rejects(environments.create(ada, 'main', null), hasCode('already_exists'));
      for (const name of ['', 'a b', 'a--b', '-a', 'a-', '../x', 'x'.repeat(65)]) {
        await assert.rejects(environments.create(ada, name, null), hasCode('invalid_argument'), name);
      }
      await assert.rejects(environments.create(ada, 'other', 'x'.repeat(2_000)), hasCode('invalid_argument'));
    });

    it('cannot lose main, and name what there is when one is unknown', async () => {
      await environments.create(ada, 'staging', null);
      await assert.rejects(environments.delete(ada, 'main'), hasCode('conflict'));
      await assert.rejects(environments.delete(ada, 'nope'), hasCode('not_found', /"nope".*main, staging/));
      await assert.rejects(environments.assertExists(ada, 'nope'), hasCode('not_found', /main, staging/));
      await assert.rejects(environments.delete(bob, 'staging'), hasCode('not_found'));
      await environments.assertExists(ada, 'staging');
      await environments.delete(ada, 'staging');
      await assert.rejects(environments.assertExists(ada, 'staging'), hasCode('not_found'));
    });
  });

  describe('secrets', () => {
    it('reach runners by exposure or by name', async () => {
      await secrets.set(ada, 'main', 'OPEN', 'one', true);
      await secrets.set(ada, 'main', 'HIDDEN', 'two', false);
      await secrets.set(ada, 'main', 'EMPTY', '', undefined);
      assert.deepEqual(await secrets.valuesForRunner(ada, 'main', null), { OPEN: 'one', EMPTY: '' });
      assert.deepEqual(await secrets.valuesForRunner(ada, 'main', ['HIDDEN', 'FAL_KEY']), { HIDDEN: 'two' });
      assert.deepEqual(await secrets.valuesForRunner(ada, 'main', []), {});
    });

    it('belong to one account and environment', async () => {
      await environments.create(ada, 'staging', null);
      await secrets.set(ada, 'main', 'TOKEN', 'main', true);
      await secrets.set(ada, 'staging', 'TOKEN', 'staging', true);
      assert.deepEqual(await secrets.valuesForRunner(ada, 'staging', null), { TOKEN: 'staging' });
      assert.deepEqual(await secrets.valuesForRunner(bob, 'main', ['TOKEN']), {});
      assert.deepEqual(await secrets.list(bob, 'main'), []);
      await assert.rejects(secrets.unset(bob, 'main', 'TOKEN'), hasCode('not_found'));
      await environments.delete(ada, 'staging');
      assert.deepEqual(await secrets.valuesForRunner(ada, 'main', null), { TOKEN: 'main' });
    });

    it('are listed by name, never by value, and lie encrypted', async () => {
      await secrets.set(ada, 'main', 'TOKEN', 'hunter2hunter2', undefined);
      const listed = await secrets.list(ada, 'main');
      assert.deepEqual(
        listed.map(({ name, environmentName, defaultExposed }) => [name, environmentName, defaultExposed]),
        [['TOKEN', 'main', null]],
      );
      assert.ok(!JSON.stringify(listed).includes('hunter2'));
      const rows = await database.read((db) => db.all<Record<string, unknown>>('SELECT * FROM secrets'));
      for (const value of rows.flatMap((row) => Object.values(row))) {
        assert.ok(
          !(value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : String(value)).includes('hunter2'),
        );
      }
    });

    it('tell the feed their names', async () => {
      await secrets.set(ada, 'main', 'TOKEN', 'a', undefined);
      await secrets.unset(ada, 'main', 'TOKEN');
      const change = { type: 'secret.changed', accountId: ada, environmentName: 'main', name: 'TOKEN' };
      assert.deepEqual(changes, [change, change]);
      await assert.rejects(secrets.unset(ada, 'main', 'TOKEN'), hasCode('not_found', /"TOKEN"/));
    });

    it('refuse what no environment variable can be, without repeating the value', async () => {
      for (const name of ['', '1A', 'A-B', 'A=B', 'A B', 'Ü', 'X'.repeat(257)]) {
        await assert.rejects(secrets.set(ada, 'main', name, 'v', undefined), hasCode('invalid_argument'), name);
      }
      for (const value of ['hunter2\0', `hunter2${'x'.repeat(70_000)}`]) {
        await assert.rejects(
          secrets.set(ada, 'main', 'TOKEN', value, undefined),
          (error) => hasCode('invalid_argument')(error) && !(error as Error).message.includes('hunter2'),
        );
      }
      await assert.rejects(secrets.set(ada, 'nowhere', 'TOKEN', 'v', undefined), hasCode('not_found', /"nowhere"/));
    });
  });

  describe('the secrets key', () => {
    it('is made once, for this user alone', async () => {
      assert.equal((await stat(keyPath)).mode & 0o777, 0o600);
      const before = await readFile(keyPath);
      await openBox();
      assert.deepEqual(await readFile(keyPath), before);
      assert.deepEqual(await readdir(join(keyPath, '..')), ['secrets.key']);
    });

    it('opens after a restart what was sealed before', async () => {
      await secrets.set(ada, 'main', 'TOKEN', 'value', undefined);
      const reopened = createSecrets({
        store: createSqliteSecretStore(database),
        box: await openBox(),
        clock: systemClock,
        changeFeed: createChangeFeed(() => undefined),
      });
      assert.deepEqual(await reopened.valuesForRunner(ada, 'main', null), { TOKEN: 'value' });
    });

    it('takes access away from others', async () => {
      await chmod(keyPath, 0o644);
      await openBox();
      assert.equal((await stat(keyPath)).mode & 0o777, 0o600);
    });

    it('is missed at once when secrets are stored, and not replaced', async () => {
      await secrets.set(ada, 'main', 'TOKEN', 'value', undefined);
      await rm(keyPath);
      await assert.rejects(openBox(), hasCode('config_invalid', /missing/));
      await assert.rejects(stat(keyPath));
    });

    it('is told apart from another key and from garbage', async () => {
      await secrets.set(ada, 'main', 'TOKEN', 'value', undefined);
      await writeFile(keyPath, `${Buffer.alloc(32, 7).toString('base64')}\n`);
      await assert.rejects(openBox(), hasCode('config_invalid', /does not open/));
      await writeFile(keyPath, 'garbage');
      await assert.rejects(openBox(), hasCode('config_invalid', /does not hold/));
    });
  });
});
