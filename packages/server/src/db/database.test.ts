import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { describe, it, type TestContext } from 'node:test';
import { isLannerError, systemClock } from '@lanner/protocol';
import { openDatabase } from './database.ts';

async function aDatabasePath(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'lanner-database-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return join(folder, 'lanner.sqlite');
}

const insertAccount = `INSERT INTO accounts (account_id, nickname, full_name, is_personal, created_at_ms) VALUES (?, ?, '', 1, 0)`;

describe('database', () => {
  it('syncs every commit to disk, keeps a write-ahead log and enforces foreign keys', async (t) => {
    const database = openDatabase({ path: await aDatabasePath(t), clock: systemClock });
    t.after(() => database.close());
    const pragma = (name: string): Promise<unknown> =>
      database.read((db) => Object.values(db.get<Record<string, unknown>>(`PRAGMA ${name}`) ?? {})[0]);
    assert.equal(await pragma('journal_mode'), 'wal');
    assert.equal(await pragma('synchronous'), 2);
    assert.equal(await pragma('foreign_keys'), 1);
    assert.equal(await pragma('busy_timeout'), 5_000);
    await assert.rejects(
      database.write((db) =>
        db.run(`INSERT INTO environments (account_id, name, created_at_ms) VALUES ('nobody', 'main', 0)`),
      ),
    );
  });

  it('names a file that is no database, with what to do, and leaves it as it is', async (t) => {
    const path = await aDatabasePath(t);
    await writeFile(path, 'no database at all');
    assert.throws(
      () => openDatabase({ path, clock: systemClock }),
      (error) =>
        isLannerError(error) &&
        error.code === 'config_invalid' &&
        error.message.startsWith(`${path} is not a database`) &&
        /backup/.test(error.message),
    );
    assert.equal(await readFile(path, 'utf8'), 'no database at all');
  });

  it('says that the disk is full, keeps what it has, and goes on when there is room again', async (t) => {
    const database = openDatabase({ path: await aDatabasePath(t), clock: systemClock });
    t.after(() => database.close());
    const pages = await database.read((db) => db.get<{ page_count: number }>('PRAGMA page_count')!.page_count);
    await database.read((db) => db.get(`PRAGMA max_page_count = ${pages + 20}`));
    let stored = 0;
    const isFull = (error: unknown): boolean => isLannerError(error) && error.code === 'storage_full';
    const store = (name: string): Promise<unknown> =>
      database.write((db) => db.run(insertAccount, `${name} ${'x'.repeat(2_000)}`, name));
    await assert.rejects(async () => {
      for (; ; stored += 1) await store(`a${stored}`);
    }, isFull);
    assert.ok(stored > 5);
    // All of a turn: those that fit are not told that they do not.
    const turn = await Promise.allSettled([store('b'), database.write(() => 'no page'), store('c')]);
    for (const result of turn)
      if (result.status === 'rejected') assert.ok(isFull(result.reason), String(result.reason));
    const count = (): Promise<number> =>
      database.read((db) => db.get<{ n: number }>("SELECT count(*) AS n FROM accounts WHERE nickname LIKE 'a%'")!.n);
    assert.equal(await count(), stored, 'everything acknowledged is there, and nothing else');
    await database.read((db) => db.get('PRAGMA max_page_count = 100000'));
    await store('d');
  });

  it('says that another program holds it', async (t) => {
    const path = await aDatabasePath(t);
    const database = openDatabase({ path, clock: systemClock });
    t.after(() => database.close());
    await database.read((db) => db.get('PRAGMA busy_timeout = 50'));
    const other = new DatabaseSync(path);
    t.after(() => other.close());
    other.exec('BEGIN IMMEDIATE');
    await assert.rejects(
      database.write((db) => db.run(insertAccount, 'a', 'a')),
      (error) => isLannerError(error) && error.code === 'database_busy',
    );
    other.exec('ROLLBACK');
    await database.write((db) => db.run(insertAccount, 'a', 'a'));
  });

  it('keeps its files to this user', async (t) => {
    const path = await aDatabasePath(t);
    const database = openDatabase({ path, clock: systemClock });
    t.after(() => database.close());
    await database.write((db) => db.run(insertAccount, 'a', 'a'));
    for (const file of [path, `${path}-wal`]) assert.equal((await stat(file)).mode & 0o777, 0o600, file);
  });

  it('shows a reader nothing of a write before it is committed', async (t) => {
    const database = openDatabase({ path: await aDatabasePath(t), clock: systemClock });
    t.after(() => database.close());
    const count = (): Promise<number> => database.read((db) => db.all('SELECT 1 FROM accounts').length);
    const write = database.write((db) => db.run(insertAccount, 'a', 'a'));
    assert.equal(await count(), 0);
    await write;
    assert.equal(await count(), 1);
  });

  it('keeps what it had when it is opened again', async (t) => {
    const path = await aDatabasePath(t);
    const first = openDatabase({ path, clock: systemClock });
    await first.write((db) => db.run(insertAccount, 'a', 'a'));
    await first.close();
    await first.close();
    const second = openDatabase({ path, clock: systemClock });
    t.after(() => second.close());
    assert.equal(await second.read((db) => db.all('SELECT 1 FROM accounts').length), 1);
  });

  it('has every acknowledged write after kill -9 in the middle of writing', async (t) => {
    const path = await aDatabasePath(t);
    const source = `
      import { systemClock } from '@lanner/protocol';
      import { openDatabase } from ${JSON.stringify(new URL('./database.ts', import.meta.url).href)};
      import { writeSync } from 'node:fs';
      const database = openDatabase({ path: process.argv[1], clock: systemClock });
      const writeForEver = async (lane) => {
        for (let index = 0; ; index += 1) {
          const id = lane + '-' + index;
          await database.write((db) => db.run(${JSON.stringify(insertAccount)}, id, id));
          writeSync(1, id + '\\n');
        }
      };
      for (const lane of ['a', 'b', 'c', 'd', 'e']) void writeForEver(lane);
    `;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', source, path], {
      cwd: import.meta.dirname,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => child.kill('SIGKILL'));
    const ended = new Promise<NodeJS.Signals | null>(
      (resolve) => void child.on('exit', (_code, signal) => resolve(signal)),
    );
    const acknowledged: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      acknowledged.push(line);
      if (acknowledged.length === 500) child.kill('SIGKILL');
    }
    assert.equal(await ended, 'SIGKILL');
    assert.ok(acknowledged.length >= 500);

    const reopened = openDatabase({ path, clock: systemClock });
    t.after(() => reopened.close());
    const present = new Set(
      await reopened.read((db) =>
        db.all<{ account_id: string }>('SELECT account_id FROM accounts').map((row) => row.account_id),
      ),
    );
    assert.deepEqual(
      acknowledged.filter((id) => !present.has(id)),
      [],
    );
  });
});
