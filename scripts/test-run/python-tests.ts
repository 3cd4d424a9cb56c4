import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import type { Outcome } from './outcome.ts';

/**
 * Runs the unit tests of a Python folder (`tests/` below it) with unittest.
 * @param python interpreter to run them with.
 * @param folder absolute path; it becomes the root of imports.
 */
export async function runPythonTests(python: string, folder: string, report: (line: string) => void): Promise<Outcome> {
  if (!existsSync(join(folder, 'tests'))) return { passed: 0, failed: 0, skipped: [], failures: [] };
  const output = await new Promise<string>((resolve) => {
    const args = ['-B', '-m', 'unittest', 'discover', '-v', '-s', 'tests', '-t', '.'];
    execFile(python, args, { cwd: folder, maxBuffer: 64 * 1024 * 1024 }, (_error, stdout, stderr) =>
      resolve(stdout + stderr),
    );
  });
  const outcome = parseUnittestOutput(output);
  report(`${outcome.failed === 0 ? '✔' : '✖'} ${folder}  ${outcome.passed}/${outcome.passed + outcome.failed}`);
  return outcome;
}

/** Reads the report of `python -m unittest -v`. A run that did not get to its end counts as one failure. */
export function parseUnittestOutput(output: string): Outcome {
  const ran = /^Ran (\d+) tests? in /m.exec(output);
  const verdict = /^(OK|FAILED|NO TESTS RAN)(?: \((.*)\))?\s*$/m.exec(ran ? output.slice(ran.index) : '');
  if (!ran || !verdict) {
    return { passed: 0, failed: 1, skipped: [], failures: [`✖ Python tests did not finish\n${output.trimEnd()}`] };
  }
  const count = (name: string): number => Number(new RegExp(`\\b${name}=(\\d+)`).exec(verdict[2] ?? '')?.[1] ?? 0);
  const failed = count('failures') + count('errors') + count('unexpected successes');
  const skippedCount = count('skipped') + count('expected failures');
  const skipped = [...output.matchAll(/^(.*?) \.\.\. skipped ['"](.*)['"]$/gm)].map(
    ([, name, reason]) => `${name} (${reason})`,
  );
  while (skipped.length < skippedCount) skipped.push('a Python test'); // one whose name and result are not on one line
  skipped.length = skippedCount;
  const details = output.slice(output.indexOf('='.repeat(70)));
  return {
    passed: Math.max(0, Number(ran[1]) - failed - skippedCount),
    failed,
    skipped,
    failures: failed > 0 ? [`✖ Python tests\n${details.trimEnd()}`] : [],
  };
}
