import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it, type TestContext } from 'node:test';
import { systemClock } from '@lanner/protocol';
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
