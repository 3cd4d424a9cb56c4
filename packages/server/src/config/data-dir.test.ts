import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { isLannerError } from '@lanner/protocol';
import { readCredentials, writeCredentials } from './credentials.ts';
import { dataDirLayout, ensureDataDir, type DataDir } from './data-dir.ts';
import { isDataDirLocked, lockDataDir } from './lock.ts';
import { readOrCreateToken } from './private-file.ts';
import { clearRunState, findRunningServer, writeRunState, writeServerPid, type RunState } from './run-state.ts';

function newDataDir(t: TestContext): DataDir {
  const folder = mkdtempSync(join(tmpdir(), 'lanner-data-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const dataDir = dataDirLayout(join(folder, 'home'));
  ensureDataDir(dataDir);
  return dataDir;
}

const modeOf = (path: string): number => statSync(path).mode & 0o777;

const state: RunState = {
  pid: 4242,
  tlsPort: 1,
  httpPort: 2,
  host: '127.0.0.1',
  domain: null,
  publicUrl: null,
  startedAtMs: 3,
};

/** A process that locks the folder and waits; resolves once it has the lock. */
async function startHolder(t: TestContext, dataDir: DataDir) {
  const script = `
    const { dataDirLayout } = await import(${JSON.stringify(import.meta.resolve('./data-dir.ts'))});
    const { lockDataDir } = await import(${JSON.stringify(import.meta.resolve('./lock.ts'))});
    lockDataDir(dataDirLayout(${JSON.stringify(dataDir.root)}));
    globalThis.gc();
    console.log('locked');
    setInterval(() => globalThis.gc(), 5);
  `;
  const child = spawn(process.execPath, ['--expose-gc', '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child;
}

test('the data folder and what it holds belong to its owner alone, also when it was open before', (t) => {
  const dataDir = newDataDir(t);
  chmodSync(dataDir.root, 0o755);
  ensureDataDir(dataDir);
  for (const folder of [dataDir.root, dataDir.ca, dataDir.run, dataDir.blobs, dataDir.data]) {
    assert.equal(modeOf(folder), 0o700, folder);
  }
  writeCredentials(dataDir.credentials, { account: 'alice', key: 'id:secret' });
  readOrCreateToken(dataDir.proxyToken);
  assert.equal(modeOf(dataDir.credentials), 0o600);
  assert.equal(modeOf(dataDir.proxyToken), 0o600);
});

/** What ensureDataDir says of a path that cannot be used. */
function refusalOf(path: string): string {
  try {
    ensureDataDir(dataDirLayout(path));
  } catch (error) {
    if (isLannerError(error) && error.code === 'config_invalid') return error.message;
    throw error;
  }
  throw new Error(`${path} was accepted`);
}

test('a path that cannot be a data folder is refused at once, with the reason', (t) => {
  const { root, run } = newDataDir(t);
  const file = join(root, 'file');
  writeFileSync(file, '');
  assert.match(refusalOf(file), /file cannot be used as a data folder: it is not a folder.*--data-dir/);
  assert.match(refusalOf(join(file, 'below')), /goes through something that is none/);
  symlinkSync(join(root, 'nowhere'), join(root, 'dangling'));
  assert.match(refusalOf(join(root, 'dangling')), /it is not a folder/);
  assert.match(refusalOf(join(root, 'x'.repeat(300))), /no folder can be made there \(ENAMETOOLONG\)/);
  rmSync(run, { recursive: true });
  writeFileSync(run, '');
  assert.match(refusalOf(root), /run cannot be used as a data folder/);
});

test('a place where no folder can be made does not keep the server trying', { skip: !existsSync('/proc/1') }, () => {
  assert.match(refusalOf('/proc/nope'), /^\/proc\/nope cannot be used as a data folder: no folder can be made there/);
  assert.match(refusalOf('/proc/nope/deep/er'), /\/proc\/nope\/deep\/er cannot be used/);
});

test('a folder that this user may not write is refused', { skip: process.getuid?.() === 0 }, (t) => {
  const { root } = newDataDir(t);
  const closed = join(root, 'closed');
  mkdirSync(closed, { mode: 0o500 });
  assert.match(refusalOf(join(closed, 'below')), /this user may not write there \(EACCES\)/);
  assert.match(refusalOf('/'), /belongs to another user \(uid 0/);
});

test('credentials are read as they were written, and nothing else is left in the folder', (t) => {
  const dataDir = newDataDir(t);
  assert.equal(readCredentials(dataDir.credentials), null);
  writeCredentials(dataDir.credentials, { account: 'alice', key: 'id:one' });
  writeCredentials(dataDir.credentials, { account: 'alice', key: 'id:two' });
  assert.deepEqual(readCredentials(dataDir.credentials), { account: 'alice', key: 'id:two' });
  assert.deepEqual(
    readdirSync(dataDir.root).filter((name) => name.endsWith('.tmp')),
    [],
  );
});

test('a broken credentials file is named, its content is not', (t) => {
  const dataDir = newDataDir(t);
  writeFileSync(dataDir.credentials, '{"account":"alice","key":"only-a-secret"}');
  assert.throws(
    () => readCredentials(dataDir.credentials),
    (error) =>
      isLannerError(error) &&
      error.code === 'config_invalid' &&
      error.message.includes(dataDir.credentials) &&
      !error.message.includes('only-a-secret'),
  );
});

test('a token lasts and differs between folders', (t) => {
  const [one, other] = [newDataDir(t), newDataDir(t)];
  const token = readOrCreateToken(one.proxyToken);
  assert.match(token, /^[\w-]{43}$/);
  assert.equal(readOrCreateToken(one.proxyToken), token);
  assert.notEqual(readOrCreateToken(other.proxyToken), token);
});

test('a second server on the folder is refused with the pid of the first', async (t) => {
  const dataDir = newDataDir(t);
  const holder = await startHolder(t, dataDir);
  writeServerPid(dataDir, holder.pid!);
  assert.equal(isDataDirLocked(dataDir), true);
  assert.throws(
    () => lockDataDir(dataDir),
    (error) => isLannerError(error) && error.code === 'data_dir_locked' && error.message.includes(`pid ${holder.pid}`),
  );
});

test('the lock ends with its process, even after kill -9, and its files are not believed', async (t) => {
  const dataDir = newDataDir(t);
  const holder = await startHolder(t, dataDir);
  writeRunState(dataDir, { ...state, pid: holder.pid! });
  assert.deepEqual(findRunningServer(dataDir), { ...state, pid: holder.pid! });
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  assert.equal(isDataDirLocked(dataDir), false);
  assert.equal(findRunningServer(dataDir), null);
  lockDataDir(dataDir).release();
});

test('a released lock can be taken again, and looking at it never takes it away', (t) => {
  const dataDir = newDataDir(t);
  assert.equal(isDataDirLocked(dataDir), false);
  const lock = lockDataDir(dataDir);
  assert.equal(isDataDirLocked(dataDir), true);
  assert.equal(isDataDirLocked(dataDir), true);
  lock.release();
  lock.release();
  assert.equal(isDataDirLocked(dataDir), false);
  lockDataDir(dataDir).release();
});

test('a server that starts or stops is not found, nor one whose state cannot be read', (t) => {
  const dataDir = newDataDir(t);
  const lock = lockDataDir(dataDir);
  t.after(() => lock.release());
  writeRunState(dataDir, state);
  assert.notEqual(findRunningServer(dataDir), null);
  writeServerPid(dataDir, 1);
  assert.equal(findRunningServer(dataDir), null);
  writeFileSync(dataDir.serverState, 'not json');
  assert.equal(findRunningServer(dataDir), null);
  clearRunState(dataDir);
  assert.equal(findRunningServer(dataDir), null);
});

test('nothing runs on a folder that does not exist', () => {
  assert.equal(findRunningServer(dataDirLayout(join(tmpdir(), 'lanner-no-such-folder'))), null);
});
