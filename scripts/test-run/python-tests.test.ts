import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { findPython } from '../python-env.ts';
import type { Outcome } from './outcome.ts';
import { parseUnittestOutput, runPythonTests } from './python-tests.ts';

async function runSource(t: TestContext, body: string): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'lanner-python-tests-'));
  t.after(() => rm(folder, { recursive: true }));
  await mkdir(join(folder, 'tests'));
  await writeFile(join(folder, 'tests', '__init__.py'), '');
  await writeFile(join(folder, 'tests', 'test_it.py'), `import os, unittest\nclass T(unittest.TestCase):\n${body}`);
  return runPythonTests(await findPython(), folder, () => undefined);
}

test('counts what unittest counts', async (t) => {
  const outcome = await runSource(
    t,
    `    def test_a(self): pass
    def test_b(self): self.assertEqual(1, 2)
    def test_c(self): raise ValueError("boom")
    @unittest.skip("no GPU")
    def test_d(self): pass
`,
  );
  assert.equal(outcome.passed, 1);
  assert.equal(outcome.failed, 2);
  assert.equal(outcome.skipped.length, 1);
  assert.match(outcome.skipped[0]!, /test_d.*no GPU/);
  assert.match(outcome.failures[0]!, /boom/);
});

test('a run that passes has no failures', async (t) => {
  assert.deepEqual(await runSource(t, '    def test_a(self): pass\n'), {
    passed: 1,
    failed: 0,
    skipped: [],
    failures: [],
  });
});

test('a run that dies half-way is a failure', async (t) => {
  const outcome = await runSource(t, '    def test_a(self): os._exit(0)\n');
  assert.equal(outcome.failed, 1);
});

test('output without a report is a failure', () => {
  assert.equal(parseUnittestOutput('Segmentation fault').failed, 1);
});
