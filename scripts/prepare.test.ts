import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { staleReason } from './prepare.mjs';

type Packages = Record<string, { version?: string; integrity?: string; optional?: boolean; link?: boolean }>;

async function aClone(t: TestContext, wanted: Packages, installed?: Packages): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'lanner-prepare-'));
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'package-lock.json'), JSON.stringify({ packages: wanted }));
  if (installed === undefined) return folder;
  await mkdir(join(folder, 'node_modules'));
  await writeFile(join(folder, 'node_modules', '.package-lock.json'), JSON.stringify({ packages: installed }));
  return folder;
}

const wanted: Packages = {
  '': {},
  'packages/server': { version: '0.1.0' },
  'node_modules/@lanner/server': { link: true },
  'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
  'node_modules/a/node_modules/b': { version: '2.0.0', integrity: 'sha512-b' },
  'node_modules/a-darwin': { version: '1.0.0', integrity: 'sha512-d', optional: true },
};
const { 'node_modules/a-darwin': _, ...installedHere } = wanted;

test('a fresh clone, and one whose installation was interrupted, has nothing installed', async (t) => {
  assert.equal(staleReason(await aClone(t, wanted)), 'nothing is installed yet');
});

test('what the lockfile asks for is fresh, although packages of other platforms are absent', async (t) => {
  assert.equal(staleReason(await aClone(t, wanted, installedHere)), undefined);
});

test('a package that is missing, older or different makes it stale', async (t) => {
  const { 'node_modules/a/node_modules/b': _b, ...without } = installedHere;
  assert.match(staleReason(await aClone(t, wanted, without))!, /node_modules\/b is missing/);
  const older = { ...installedHere, 'node_modules/a': { version: '0.9.0', integrity: 'sha512-a' } };
  assert.match(staleReason(await aClone(t, wanted, older))!, /node_modules\/a is outdated/);
  const other = { ...installedHere, 'node_modules/a': { version: '1.0.0', integrity: 'sha512-x' } };
  assert.match(staleReason(await aClone(t, wanted, other))!, /node_modules\/a is outdated/);
});
