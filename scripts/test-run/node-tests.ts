import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { TestRecord } from './ndjson-reporter.ts';
import type { Outcome } from './outcome.ts';

const reporterPath = fileURLToPath(new URL('./ndjson-reporter.ts', import.meta.url));
/** What a failing file printed is kept up to this many characters, the latest ones. */
const keptOutputChars = 8_000;
/** How long the last output of an ended file is waited for. */
const pipeGraceMs = 1_000;

export interface NodeTestsOptions {
  /** Absolute paths. */
  files: string[];
  /** Test files that run at a time, each in a process of its own. */
  concurrency: number;
  /** A file that takes longer is killed with all its children, and has failed. */
  fileTimeoutMs: number;
  /** Paths are shown relative to this folder. */
  root: string;
  report: (line: string) => void;
}

/**
 * Runs node:test files, one process each, and reports one line for each file when it ends. (`node --test` and `run()` wait
 * for ever for a file whose tests passed and that left a timer or a socket open; here that is a failure.)
 */
export async function runNodeTests({
  files,
  concurrency,
  fileTimeoutMs,
  root,
  report,
}: NodeTestsOptions): Promise<Outcome> {
  const outcome: Outcome = { passed: 0, failed: 0, skipped: [], failures: [] };
  const queue = [...files];
  const work = async (): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const startedAt = performance.now();
      const result = await runFile(file, fileTimeoutMs);
      const shown = relative(root, file);
      const count = addFile(outcome, shown, result);
      const sign = count.failed === 0 ? '✔' : '✖';
      report(
        `${sign} ${shown}  ${count.passed}/${count.passed + count.failed}  ${Math.round(performance.now() - startedAt)} ms`,
      );
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  return outcome;
}

interface FileResult {
  records: TestRecord[];
  output: string;
  /** Something beyond single tests: killed, crashed, empty. */
  trouble: string | undefined;
}

async function runFile(file: string, timeoutMs: number): Promise<FileResult> {
  const folder = await mkdtemp(join(tmpdir(), 'lanner-test-records-'));
  const recordsPath = join(folder, 'records');
  // A process group of its own, so that a hung file goes with everything it started.
  const child = spawn(
    process.execPath,
    [`--test-reporter=${reporterPath}`, `--test-reporter-destination=${recordsPath}`, file],
    {
      detached: true,
      env: testEnvironment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const killGroup = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It is gone already.
    }
  };
  const interrupt = (): void => {
    killGroup();
    process.exit(130);
  };
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    killGroup();
  }, timeoutMs);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-keptOutputChars)));
  }
  const ending = await new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, signal) => resolve(signal ?? `status ${code}`));
    // A child process that the file left behind may hold the pipes open for ever.
    child.on('exit', (code, signal) => setTimeout(resolve, pipeGraceMs, signal ?? `status ${code}`).unref());
  });
  clearTimeout(timer);
  process.off('SIGINT', interrupt).off('SIGTERM', interrupt);

  const lines = (await readFile(recordsPath, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');
  await rm(folder, { recursive: true, force: true });
  const records = lines.map((line) => JSON.parse(line) as TestRecord);
  return { records, output, trouble: troubleOf(records, ending, timedOut ? timeoutMs : undefined) };
}

function troubleOf(records: TestRecord[], ending: string, timedOutAfterMs: number | undefined): string | undefined {
  if (timedOutAfterMs !== undefined) {
    return `killed after ${timedOutAfterMs} ms; a test hangs, or the file left something open (timer, socket, child process)`;
  }
  const hasFailed = records.some(({ kind }) => kind === 'failed');
  if (ending !== 'status 0' && !hasFailed) return `ended with ${ending}`;
  return records.length === 0 ? 'has no tests' : undefined;
}

function addFile(
  outcome: Outcome,
  shown: string,
  { records, output, trouble }: FileResult,
): { passed: number; failed: number } {
  const count = { passed: 0, failed: 0 };
  for (const { name, kind, text } of records) {
    if (kind === 'skipped') outcome.skipped.push(`${shown}: ${name}${text === '' ? '' : ` (${text})`}`);
    else count[kind] += 1;
    if (kind === 'failed') outcome.failures.push(`✖ ${shown}: ${name}\n${indent(text)}`);
  }
  if (trouble !== undefined) {
    count.failed += 1;
    outcome.failures.push(`✖ ${shown} ${trouble}`);
  }
  if (count.failed > 0 && output !== '') outcome.failures.push(`Output of ${shown}:\n${indent(output.trimEnd())}`);
  outcome.passed += count.passed;
  outcome.failed += count.failed;
  return count;
}

/** A test of this runner is itself a test: node:test must not take the files it starts for its own. */
function testEnvironment(): NodeJS.ProcessEnv {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  return env;
}

function indent(text: string): string {
  return text.replace(/^/gm, '    ');
}
