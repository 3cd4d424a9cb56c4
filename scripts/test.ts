/**
 * The whole suite: `npm test`, or `npm test -- gateway ports` for the files whose path contains one of the words.
 * The last line is `N passed, N failed`; the exit status says the same.
 */
import { globSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { ensurePythonEnv } from './python-env.ts';
import { runNodeTests } from './test-run/node-tests.ts';
import { addOutcomes, type Outcome, renderOutcome } from './test-run/outcome.ts';
import { runPythonTests } from './test-run/python-tests.ts';

const root = dirname(import.meta.dirname);
const pythonFolder = 'packages/supervisor/python';
const words = process.argv.slice(2);
const report = (line: string): void => void process.stdout.write(`${line}\n`);

process.env.NODE_COMPILE_CACHE ??= join(root, '.cache', 'node-compile');
const outcome = addOutcomes(await runGroups().catch((error: Error) => [startFailure(error)]));
if (outcome.passed + outcome.failed + outcome.skipped.length === 0) {
  outcome.failures.push(`No test file has ${words.map((word) => `"${word}"`).join(' or ')} in its path.`);
}
report(renderOutcome(outcome));
process.exitCode = outcome.failed > 0 || outcome.passed === 0 ? 1 : 0;

async function runGroups(): Promise<Outcome[]> {
  const { python } = await ensurePythonEnv({ report });
  const common = { root, report };
  const outcomes: Outcome[] = [];
  const files = find('{packages/*/src,scripts,bench,examples,test}/**/*.test.ts');
  const isSystem = (file: string): boolean => file.startsWith(join(root, 'test', 'system'));
  const small = files.filter((file) => !isSystem(file));
  // Both wait for processes half of the time.
  outcomes.push(
    ...(await Promise.all([
      runNodeTests({ ...common, files: small, concurrency: 2, fileTimeoutMs: 300_000 }),
      ...(isWanted(pythonFolder) ? [runPythonTests(python, join(root, pythonFolder), report)] : []),
    ])),
  );
  // Each of these has a platform of its own.
  outcomes.push(
    await runNodeTests({ ...common, files: files.filter(isSystem), concurrency: 2, fileTimeoutMs: 600_000 }),
  );
  return outcomes;
}

function find(pattern: string): string[] {
  const found = globSync(pattern, { cwd: root, exclude: (name) => name === 'node_modules' });
  return found
    .filter(isWanted)
    .sort()
    .map((path) => join(root, path));
}

function isWanted(path: string): boolean {
  return words.length === 0 || words.some((word) => path.includes(word));
}

function startFailure(error: Error): Outcome {
  return { passed: 0, failed: 1, skipped: [], failures: [`✖ the tests could not start\n    ${error.message}`] };
}
