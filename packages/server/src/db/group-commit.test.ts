import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { isLannerError } from '@lanner/protocol';
import { createVirtualClock, type VirtualClock } from '../lib/virtual-clock.ts';
import { createGroupCommit, type GroupCommit } from './group-commit.ts';
import { openSqlite, type SqliteConnection } from './sqlite.ts';

describe('group commit', () => {
  let connection: SqliteConnection;
  let commits: GroupCommit;
  let statements: string[];
  let clock: VirtualClock;

  beforeEach(() => {
    const opened = openSqlite(':memory:', 0);
    opened.exec('CREATE TABLE notes (text TEXT NOT NULL UNIQUE) STRICT');
    statements = [];
    connection = {
      ...opened,
      control(sql) {
        statements.push(sql.split(' ')[0]!);
        opened.control(sql);
      },
    };
    clock = createVirtualClock();
    commits = createGroupCommit(connection, clock);
  });
  afterEach(() => connection.close());

  const add = (text: string): Promise<number> => commits.write((db) => db.run('INSERT INTO notes VALUES (?)', text));
  const texts = (): string[] =>
    connection.all<{ text: string }>('SELECT text FROM notes ORDER BY rowid').map((row) => row.text);
  const countOf = (statement: string): number => statements.filter((name) => name === statement).length;

  it('puts the writes of one turn into one transaction, in order', async () => {
    await Promise.all(['a', 'b', 'c'].map(add));
    assert.deepEqual(texts(), ['a', 'b', 'c']);
    assert.equal(countOf('BEGIN'), 1);
    assert.equal(countOf('COMMIT'), 1);
  });

  it('gives later turns transactions of their own', async () => {
    await add('a');
    await add('b');
    assert.equal(countOf('COMMIT'), 2);
  });

  it('answers only after the commit', async () => {
    const write = add('a').then(() => connection.isInTransaction());
    assert.equal(countOf('COMMIT'), 0);
    assert.equal(await write, false);
    assert.equal(countOf('COMMIT'), 1);
  });

  it('undoes a failing operation alone', async () => {
    const outcomes = await Promise.allSettled([
      add('a'),
      commits.write((db) => {
        db.run('INSERT INTO notes VALUES (?)', 'half');
        throw new RangeError('changed its mind');
      }),
      add('a'),
      add('b'),
    ]);
    assert.deepEqual(
      outcomes.map((outcome) => outcome.status),
      ['fulfilled', 'rejected', 'rejected', 'fulfilled'],
    );
    assert.ok((outcomes[1] as PromiseRejectedResult).reason instanceof RangeError);
    assert.deepEqual(texts(), ['a', 'b']);
    assert.equal(countOf('COMMIT'), 1);
  });

  it('refuses an operation that is asynchronous, and undoes it', async () => {
    await assert.rejects(
      commits.write(async (db) => db.run('INSERT INTO notes VALUES (?)', 'late')),
      TypeError,
    );
    assert.deepEqual(texts(), []);
  });

  it('fails all writes of a transaction whose commit fails, and goes on afterwards', async () => {
    const { control } = connection;
    connection.control = (sql) => {
      if (sql === 'COMMIT') throw new Error('disk I/O error');
      control(sql);
    };
    const outcomes = await Promise.allSettled([add('a'), add('b')]);
    assert.deepEqual(
      outcomes.map((outcome) => outcome.status),
      ['rejected', 'rejected'],
    );
    connection.control = control;
    assert.deepEqual(texts(), []);
    await add('c');
    assert.deepEqual(texts(), ['c']);
  });

  it('fails all writes when an operation makes the database end the transaction', async () => {
    const diskFull = new Error('database or disk is full');
    const outcomes = await Promise.allSettled([
      add('a'),
      commits.write(() => {
        connection.control('ROLLBACK');
        throw diskFull;
      }),
      add('b'),
    ]);
    for (const outcome of outcomes) assert.equal((outcome as PromiseRejectedResult).reason, diskFull);
    assert.deepEqual(texts(), []);
  });

  it('splits a flood into transactions of a bounded size', async () => {
    await Promise.all(Array.from({ length: 2_500 }, (_, index) => add(String(index))));
    assert.equal(texts().length, 2_500);
    assert.equal(countOf('COMMIT'), 3);
  });

  it('takes what nobody waits for along with the next transaction, in order', async () => {
    const unhurried = commits.writeUnhurried((db) => db.run('INSERT INTO notes VALUES (?)', 'a'));
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(texts(), []);
    await add('b');
    assert.equal(await unhurried, 1);
    assert.deepEqual(texts(), ['a', 'b']);
    assert.equal(countOf('COMMIT'), 1);
  });

  it('commits what nobody waits for after a moment, when nothing else is written', async () => {
    const unhurried = commits.writeUnhurried((db) => db.run('INSERT INTO notes VALUES (?)', 'a'));
    await clock.advance(20);
    await unhurried;
    assert.deepEqual(texts(), ['a']);
    await add('b');
    await clock.advance(20);
    assert.equal(countOf('COMMIT'), 2);
  });

  it('commits what nobody waits for even when the process has nothing else to do', async () => {
    const script = `
      import { systemClock } from '@lanner/protocol';
      import { createGroupCommit } from '${new URL('group-commit.ts', import.meta.url).href}';
      import { openSqlite } from '${new URL('sqlite.ts', import.meta.url).href}';
      const connection = openSqlite(':memory:', 0);
      const commits = createGroupCommit(connection, systemClock);
      process.stdout.write(String(await commits.writeUnhurried((db) => db.get('SELECT 7 AS n').n)));`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
      cwd: import.meta.dirname,
    });
    assert.equal(stdout, '7');
  });

  it('undoes a failing operation that is alone', async () => {
    await assert.rejects(
      commits.write((db) => {
        db.run('INSERT INTO notes VALUES (?)', 'half');
        throw new RangeError('changed its mind');
      }),
      RangeError,
    );
    await add('a');
    assert.deepEqual(texts(), ['a']);
  });

  it('commits what is queued when it closes, and refuses what comes later', async () => {
    const write = add('a');
    commits.close();
    assert.deepEqual(texts(), ['a']);
    await write;
    await assert.rejects(add('b'), (error) => isLannerError(error) && error.code === 'shutting_down');
    commits.close();
    assert.deepEqual(texts(), ['a']);
  });
});
