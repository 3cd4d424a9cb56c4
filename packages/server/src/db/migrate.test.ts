import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { isLannerError, type ErrorCode } from '@lanner/protocol';
import { dumpSchema } from './dump-schema.ts';
import { migrate } from './migrate.ts';
import { migrationsFolder, readMigrations } from './migrations.ts';
import { openSqlite, type SqliteConnection } from './sqlite.ts';

const hasCode = (code: ErrorCode) => (error: unknown) => isLannerError(error) && error.code === code;

async function aFolder(t: TestContext, files: Record<string, string>): Promise<URL> {
  const folder = await mkdtemp(join(tmpdir(), 'lanner-migrations-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  for (const [name, sql] of Object.entries(files)) await writeFile(join(folder, name), sql);
  return pathToFileURL(`${folder}/`);
}

function aConnection(t: TestContext): SqliteConnection {
  const connection = openSqlite(':memory:', 0);
  t.after(() => connection.close());
  return connection;
}

describe('migrate', () => {
  it('runs what is pending in order, once, and remembers it', async (t) => {
    const known = readMigrations(
      await aFolder(t, {
        '0002_more.sql': 'ALTER TABLE things ADD COLUMN size INTEGER;',
        '0001_init.sql': 'CREATE TABLE things (name TEXT) STRICT;',
      }),
    );
    const connection = aConnection(t);
    assert.deepEqual(migrate(connection, known.slice(0, 1), 10), ['0001_init']);
    assert.deepEqual(migrate(connection, known, 20), ['0002_more']);
    assert.deepEqual(migrate(connection, known, 30), []);
    connection.run('INSERT INTO things VALUES (?, ?)', 'a', 1);
    assert.deepEqual(
      connection
        .all<{ version: number }>('SELECT version, name, applied_at_ms FROM schema_migrations ORDER BY version')
        .map((row) => ({ ...row })),
      [
        { version: 1, name: '0001_init', applied_at_ms: 10 },
        { version: 2, name: '0002_more', applied_at_ms: 20 },
      ],
    );
  });

  it('leaves nothing behind when one step fails', async (t) => {
    const known = readMigrations(
      await aFolder(t, {
        '0001_init.sql': 'CREATE TABLE things (name TEXT) STRICT;',
        '0002_wrong.sql': 'CREATE TABLE;',
      }),
    );
    const connection = aConnection(t);
    assert.throws(() => migrate(connection, known, 10));
    assert.deepEqual(connection.all('SELECT name FROM sqlite_schema'), []);
  });

  it('refuses a database of a newer Lanner and leaves it alone', async (t) => {
    const known = readMigrations(
      await aFolder(t, {
        '0001_init.sql': 'CREATE TABLE things (name TEXT) STRICT;',
        '0002_more.sql': 'CREATE TABLE more (name TEXT) STRICT;',
      }),
    );
    const connection = aConnection(t);
    migrate(connection, known, 10);
    assert.throws(() => migrate(connection, known.slice(0, 1), 20), hasCode('schema_too_new'));
    assert.equal(migrate(connection, known, 30).length, 0);
  });

  it('refuses a file that changed after it was applied', async (t) => {
    const connection = aConnection(t);
    migrate(
      connection,
      readMigrations(await aFolder(t, { '0001_init.sql': 'CREATE TABLE things (name TEXT) STRICT;' })),
      10,
    );
    const changed = readMigrations(
      await aFolder(t, { '0001_init.sql': 'CREATE TABLE things (name TEXT, size INTEGER) STRICT;' }),
    );
    assert.throws(() => migrate(connection, changed, 20), hasCode('schema_changed'));
  });
});

describe('readMigrations', () => {
  it('refuses a gap in the numbers', async (t) => {
    const folder = await aFolder(t, { '0001_init.sql': '', '0003_later.sql': '' });
    assert.throws(() => readMigrations(folder), /should have number 2/);
  });

  it('refuses a file with another kind of name', async (t) => {
    const folder = await aFolder(t, { 'init.sql': '' });
    assert.throws(() => readMigrations(folder), /not named like/);
  });
});

describe('the schema of this package', () => {
  const packageFolder = new URL('../../', import.meta.url);

  it('is committed as the dump that the migrations add up to', (t) => {
    const connection = aConnection(t);
    migrate(connection, readMigrations(migrationsFolder('sqlite')), 0);
    assert.equal(
      readFileSync(new URL('db/schema.sqlite.sql', packageFolder), 'utf8'),
      dumpSchema(connection),
      'run: node packages/server/db/write-schema.ts',
    );
  });

  it('is found from the source and from what is published', () => {
    const config = JSON.parse(readFileSync(new URL('tsconfig.json', packageFolder), 'utf8')) as {
      compilerOptions: { rootDir: string; outDir: string };
    };
    const { rootDir, outDir } = config.compilerOptions;
    const published = import.meta.url.replace(`/${rootDir}/`, `/${outDir}/`).replace(/\.ts$/, '.js');
    assert.notEqual(published, import.meta.url);
    assert.equal(migrationsFolder('sqlite', published).href, migrationsFolder('sqlite').href);
    const manifest = JSON.parse(readFileSync(new URL('package.json', packageFolder), 'utf8')) as { files?: string[] };
    assert.ok(
      manifest.files === undefined || manifest.files.some((entry) => /^(\.\/)?db(\/|$)/.test(entry)),
      'package.json "files" needs db',
    );
  });
});
