import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { withFileLock } from './file-lock.ts';

test('two holders of one lock run one after the other', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'lanner-lock-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'lock');
  const order: string[] = [];
  const entered = Promise.withResolvers<void>();
  const mayLeave = Promise.withResolvers<void>();

  const first = withFileLock(path, async () => {
    entered.resolve();
    await mayLeave.promise;
    order.push('first');
  });
  await entered.promise;
  const second = withFileLock(path, () => Promise.resolve(void order.push('second')));
  mayLeave.resolve();
  await Promise.all([first, second]);
  assert.deepEqual(order, ['first', 'second']);
});

test('a lock is free again when its holder was killed', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'lanner-lock-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'lock');
  const holder = spawn(process.execPath, [
    '--input-type=module',
    '--eval',
    `const { withFileLock } = await import(${JSON.stringify(new URL('./file-lock.ts', import.meta.url).href)});
     await withFileLock(${JSON.stringify(path)}, () => new Promise(() => { console.log('held'); setInterval(() => {}, 1000); }));`,
  ]);
  await once(holder.stdout, 'data');
  let entered = false;
  const waiting = withFileLock(path, () => Promise.resolve(void (entered = true)));
  assert.equal(entered, false);
  holder.kill('SIGKILL');
  await waiting;
  assert.equal(entered, true);
});

test('an action that throws frees the lock and its error reaches the caller', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'lanner-lock-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'lock');
  await assert.rejects(
    withFileLock(path, () => Promise.reject(new Error('no'))),
    /no/,
  );
  assert.equal(await withFileLock(path, () => Promise.resolve(1)), 1);
});
