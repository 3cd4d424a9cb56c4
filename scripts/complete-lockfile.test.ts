import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { completeLockfile, type Lockfile } from './complete-lockfile.ts';

test('platform packages that the registry did not have are added, the others stay as they are', () => {
  const lockfile: Lockfile = {
    packages: {
      '': {},
      'node_modules/tool': {
        version: '1.2.3',
        dev: true,
        optionalDependencies: { '@tool/darwin-arm64': '1.2.3', '@tool/linux-x64-musl': '1.2.3' },
      },
      'node_modules/@tool/darwin-arm64': { version: '1.2.3', os: ['darwin'] },
    },
  };
  assert.deepEqual(completeLockfile(lockfile), ['node_modules/@tool/linux-x64-musl']);
  assert.deepEqual(lockfile.packages['node_modules/@tool/linux-x64-musl'], {
    version: '1.2.3',
    dev: true,
    optional: true,
    cpu: ['x64'],
    libc: ['musl'],
    os: ['linux'],
  });
  assert.deepEqual(completeLockfile(lockfile), []);
});

test('optional packages that are for every platform, and ranges, are left to npm', () => {
  const lockfile: Lockfile = {
    packages: { 'node_modules/tool': { optionalDependencies: { bufferutil: '4.0.0', '@tool/linux-x64': '^1.0.0' } } },
  };
  assert.deepEqual(completeLockfile(lockfile), []);
});

test('the committed lockfile is complete, so that `npm ci` accepts it', () => {
  const text = readFileSync(join(import.meta.dirname, '..', 'package-lock.json'), 'utf8');
  assert.deepEqual(completeLockfile(JSON.parse(text) as Lockfile), []);
});
