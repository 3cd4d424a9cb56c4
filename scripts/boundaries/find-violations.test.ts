import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { findViolations, importsOf } from './find-violations.ts';

const violationsOf = (path: string, text: string): string[] => findViolations([{ path, text }]);

describe('imports between packages', () => {
  test('everybody may import the protocol, which imports nothing of ours and nothing of Node', () => {
    assert.deepEqual(
      violationsOf('packages/server/src/lib/a.ts', `import { x } from '@lanner/protocol/controller';`),
      [],
    );
    assert.equal(violationsOf('packages/protocol/src/a.ts', `import { x } from '@lanner/server';`).length, 1);
    assert.equal(violationsOf('packages/protocol/src/a.ts', `import fs from 'node:fs';`).length, 1);
  });

  test('server and supervisor do not know each other', () => {
    assert.match(
      violationsOf('packages/server/src/lib/a.ts', `import type { X } from '@lanner/supervisor';`)[0]!,
      /server may not import @lanner\/supervisor/,
    );
    assert.equal(violationsOf('packages/supervisor/src/a.ts', `export { x } from '@lanner/server';`).length, 1);
  });

  test('a path out of the package is no way around', () => {
    assert.match(
      violationsOf('packages/server/src/lib/a.ts', `import { x } from '../../../supervisor/src/b.ts';`)[0]!,
      /out of its package/,
    );
  });

  test('only the commands that run the platform load it', () => {
    const load = `const { startServer } = await import('@lanner/server');`;
    assert.deepEqual(violationsOf('packages/cli/src/commands/serve.ts', load), []);
    assert.equal(violationsOf('packages/cli/src/commands/env.ts', load).length, 1);
    assert.deepEqual(
      violationsOf('packages/cli/src/commands/env.ts', `import { x } from '@lanner/server/config';`),
      [],
    );
  });

  test('a package nobody has listed is told', () => {
    assert.match(violationsOf('packages/new/src/a.ts', '')[0]!, /package new is not in/);
  });
});

describe('imports inside the server', () => {
  test('go downward or stay in their layer', () => {
    assert.deepEqual(violationsOf('packages/server/src/api/rpc/a.ts', `import { x } from '../../auth/keys.ts';`), []);
    assert.deepEqual(violationsOf('packages/server/src/apps/a.ts', `import { x } from '../auth/keys.ts';`), []);
    assert.match(
      violationsOf('packages/server/src/auth/a.ts', `import { x } from '../gateway/b.ts';`)[0]!,
      /auth may not import from gateway/,
    );
    assert.equal(violationsOf('packages/server/src/lib/a.ts', `import { x } from '../db/b.ts';`).length, 1);
    assert.match(violationsOf('packages/server/src/lib/a.ts', `import { x } from '../main.ts';`)[0]!, /the wiring/);
  });

  test('a folder nobody has listed is told', () => {
    assert.match(violationsOf('packages/server/src/misc/a.ts', '')[0]!, /folder misc is not in/);
  });

  test('tests may look anywhere, and nobody looks into tests', () => {
    assert.deepEqual(violationsOf('packages/server/src/lib/a.test.ts', `import { x } from '../api/b.ts';`), []);
    assert.match(
      violationsOf('packages/server/src/gateway/a.ts', `import { x } from './testing/b.ts';`)[0]!,
      /only tests/,
    );
  });
});

describe('reading sources', () => {
  test('finds every form of import', () => {
    const text = `import a from 'a';\nimport 'b';\nimport {\n  c,\n} from "c";\nexport * from 'd';\nconst e = await import('e');\nimport type { f } from 'f';export { g } from 'g';`;
    assert.deepEqual(importsOf(text), ['a', 'b', 'c', 'd', 'e', 'f', 'g']);
  });

  test('leaves comments out', () => {
    assert.deepEqual(
      importsOf(`// import a from 'a';\n/** import b from 'b' */\nconst url = 'https://x'; import c from 'c';`),
      ['c'],
    );
    assert.deepEqual(importsOf(`app.all('/a/*', x);\nimport b from 'b';\n/** end */ import c from 'c';`), ['b', 'c']);
  });

  test('new Date() is a clock, new Date(value) is not', () => {
    assert.equal(violationsOf('packages/server/src/lib/a.ts', 'const now = new Date();').length, 1);
    assert.deepEqual(
      violationsOf('packages/server/src/lib/a.ts', 'const then = new Date(atMs); // not new Date()'),
      [],
    );
  });
});
