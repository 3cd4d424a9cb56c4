import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { runNodeTests } from './node-tests.ts';
import type { Outcome } from './outcome.ts';

async function runFiles(
  t: TestContext,
  sources: Record<string, string>,
  fileTimeoutMs = 60_000,
): Promise<Outcome & { lines: string[] }> {
  const root = await mkdtemp(join(tmpdir(), 'lanner-node-tests-'));
  t.after(() => rm(root, { recursive: true }));
  const head = `import { test, describe } from 'node:test';\n`;
  for (const [name, source] of Object.entries(sources)) await writeFile(join(root, name), head + source);
  const files = Object.keys(sources).map((name) => join(root, name));
  const lines: string[] = [];
  const report = (line: string): void => void lines.push(line);
  return { ...(await runNodeTests({ files, root, concurrency: 2, fileTimeoutMs, report })), lines };
}

test('passed, failed and skipped tests are counted, suites are not', async (t) => {
  const outcome = await runFiles(t, {
    'a.test.mjs': `describe('a suite', () => { test('one', () => {}); test('two', () => { throw new Error('broken two'); }); test.skip('three'); });`,
    'b.test.mjs': `test('four', { skip: 'needs a GPU' }, () => {}); test('five', () => {});`,
  });
  assert.equal(outcome.passed, 2);
  assert.equal(outcome.failed, 1);
  assert.deepEqual(outcome.skipped.sort(), ['a.test.mjs: three', 'b.test.mjs: four (needs a GPU)']);
  assert.match(outcome.failures[0]!, /✖ a\.test\.mjs: two\n.*broken two/s);
  assert.equal(outcome.lines.length, 2);
});

test('a file that cannot be loaded is a failure, with what it printed', async (t) => {
  const outcome = await runFiles(t, { 'c.test.mjs': `console.log('last words'); throw new Error('at import');` });
  assert.deepEqual([outcome.passed, outcome.failed], [0, 1]);
  assert.match(outcome.failures.join('\n'), /last words/);
  assert.match(outcome.lines[0]!, /^✖ c\.test\.mjs/);
});

test('a file without tests is a failure', async (t) => {
  const outcome = await runFiles(t, { 'e.test.mjs': '' });
  assert.deepEqual([outcome.passed, outcome.failed], [0, 1]);
  assert.match(outcome.failures[0]!, /no tests/);
});

test('a file that never ends is a failure beside its passed tests', async (t) => {
  const outcome = await runFiles(t, { 'd.test.mjs': `test('leaks', () => { setInterval(() => {}, 1000); });` }, 1_500);
  assert.deepEqual([outcome.passed, outcome.failed], [1, 1]);
  assert.match(outcome.failures.join('\n'), /d\.test\.mjs killed after 1500 ms/);
});

test('a hook that fails is a failure', async (t) => {
  const outcome = await runFiles(t, {
    'f.test.mjs': `describe('a suite', () => { test('one', () => {}); }); import { after } from 'node:test'; after(() => { throw new Error('in a hook'); });`,
  });
  assert.equal(outcome.failed, 1);
});
