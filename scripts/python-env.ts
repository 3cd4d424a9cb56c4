/**
 * The Python environment of tests, examples and `npm start`: the official `fal` and `fal_client`, pinned, in a folder
 * below `.cache/` that git ignores. Built once per content of the requirements file, then reused.
 *
 * `node scripts/python-env.ts` builds it and prints the path of its interpreter.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, realpathSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { withFileLock } from './file-lock.ts';

const run = promisify(execFile);
const root = dirname(import.meta.dirname);

/** Oldest Python that the pinned `fal` runs on. */
const oldestPythonMinor = 10;
const interpreterNames = ['python3', 'python3.14', 'python3.13', 'python3.12', 'python3.11', 'python3.10', 'python'];

/** A ready virtual environment. */
export interface PythonEnv {
  /** Absolute path of its interpreter. */
  python: string;
  /** Absolute path of the folder with `python`, `fal`, `uv` …; put it first in PATH to use them by name. */
  bin: string;
}

export interface PythonEnvOptions {
  /** Default `test/python/requirements.txt`. */
  requirementsPath?: string;
  /** Folder the environments lie in. Default `.cache/python` of the repository. */
  cacheDir?: string;
  /** Receives progress lines. Default standard error. */
  report?: (line: string) => void;
}

/**
 * The virtual environment for a requirements file, built when it is not there yet. Callers in several processes wait for
 * one build. The folder is made in place, because environments hold absolute paths; a marker file says it is complete.
 * @throws Error when no Python ≥ 3.10 is on PATH, or with the installer's output when a package cannot be installed.
 */
export async function ensurePythonEnv(options: PythonEnvOptions = {}): Promise<PythonEnv> {
  const requirementsPath = options.requirementsPath ?? join(root, 'test', 'python', 'requirements.txt');
  const cacheDir = options.cacheDir ?? join(root, '.cache', 'python');
  const report = options.report ?? ((line) => void process.stderr.write(`${line}\n`));

  const requirements = await readFile(requirementsPath, 'utf8');
  const folder = join(cacheDir, createHash('sha256').update(requirements).digest('hex').slice(0, 16));
  const bin = join(folder, 'bin');
  const environment = { python: join(bin, 'python'), bin };
  const marker = join(folder, '.complete');
  const isReady = (): boolean => existsSync(marker) && existsSync(environment.python);
  if (isReady()) return environment;

  await mkdir(cacheDir, { recursive: true });
  await withFileLock(`${folder}.lock`, async () => {
    if (isReady()) return;
    report(`lanner: making a Python environment with ${summary(requirements)} …`);
    await rm(folder, { recursive: true, force: true });
    await build(folder, environment.python, requirementsPath);
    await writeFile(marker, '');
  });
  return environment;
}

async function build(folder: string, python: string, requirementsPath: string): Promise<void> {
  const interpreter = await findPython();
  if (await succeeds('uv', ['--version'])) {
    await install('uv', ['venv', '--quiet', '--python', interpreter, folder]);
    await install('uv', [
      'pip',
      'install',
      '--quiet',
      '--compile-bytecode',
      '--python',
      python,
      '-r',
      requirementsPath,
    ]);
    return;
  }
  await install(interpreter, ['-m', 'venv', folder]);
  await install(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirementsPath]);
}

/** Runs one step of the installation; a failure carries what it printed. */
async function install(command: string, args: string[]): Promise<void> {
  try {
    await run(command, args, { maxBuffer: 64 * 1024 * 1024 });
  } catch (error) {
    const output =
      `${(error as { stderr?: string }).stderr ?? ''}${(error as { stdout?: string }).stdout ?? ''}`.trim();
    throw new Error(`\`${command} ${args.join(' ')}\` failed:\n${output || String(error)}`, { cause: error });
  }
}

/**
 * The first Python ≥ 3.10 on PATH that can make virtual environments, as the absolute path of its interpreter.
 * @throws Error that names what was found instead.
 */
export async function findPython(): Promise<string> {
  const seen: string[] = [];
  for (const name of interpreterNames) {
    const answer = await probe(name);
    if (answer === undefined) continue;
    if (answer.minor >= oldestPythonMinor && answer.hasVenv) return answer.path;
    seen.push(`${name} is 3.${answer.minor}${answer.hasVenv ? '' : ' without the venv and ensurepip modules'}`);
  }
  const found = seen.length === 0 ? 'none was found on PATH' : seen.join(', ');
  throw new Error(
    `Python 3.${oldestPythonMinor} or newer is needed; ${found}. ` +
      `Install it (Debian and Ubuntu: apt install python3 python3-venv), then try again.`,
  );
}

async function probe(name: string): Promise<{ path: string; minor: number; hasVenv: boolean } | undefined> {
  const script =
    'import importlib.util as u, json, sys; v = sys.version_info; ' +
    'print(json.dumps({"path": sys.executable, "minor": v[1] if v[0] == 3 else 0, ' +
    '"hasVenv": all(u.find_spec(m) for m in ("venv", "ensurepip"))}))';
  try {
    const { stdout } = await run(name, ['-c', script]);
    return JSON.parse(stdout) as { path: string; minor: number; hasVenv: boolean };
  } catch {
    return undefined;
  }
}

async function succeeds(command: string, args: string[]): Promise<boolean> {
  return run(command, args).then(
    () => true,
    () => false,
  );
}

function summary(requirements: string): string {
  const names = requirements
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '');
  return names.slice(0, 3).join(', ') + (names.length > 3 ? ', …' : '');
}

/** `environment` variables of a process in which the commands of a Python environment come first. */
export function withPythonEnv(env: NodeJS.ProcessEnv, { bin }: PythonEnv): NodeJS.ProcessEnv {
  return { ...env, PATH: `${bin}${delimiter}${env.PATH ?? ''}` };
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { python } = await ensurePythonEnv();
  process.stdout.write(`${python}\n`);
}
