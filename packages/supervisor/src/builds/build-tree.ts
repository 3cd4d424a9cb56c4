import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LannerError, type LogLevel } from '@lanner/protocol';
import { runProgram } from '../lib/run-program.ts';
import {
  encodeSpec,
  launcherFailures,
  launcherPath,
  launcherPrefix,
  type LauncherSpec,
} from '../sandbox/exec-sandbox.ts';
import { createMask } from '../runners/mask-secrets.ts';
import { expandRequirements } from './expand-requirements.ts';
import type { PythonInterpreter } from './find-python.ts';

export interface BuildTreeOptions {
  /** Absolute path of the new tree, below `storeFolder`; it does not exist yet. */
  tree: string;
  /** Holds trees and uv's cache: one mount, so that uv can link instead of copy. Writable by `identity`. */
  storeFolder: string;
  cacheFolder: string;
  /** Holds the requirement files of this build; readable by `identity`. */
  inputFolder: string;
  /** As the client sent them, for the log. */
  layers: readonly (readonly string[])[];
  /** For `${NAME}` in them; the sandbox sees those alone, in the requirement file. */
  secrets: Readonly<Record<string, string>>;
  python: PythonInterpreter;
  uvPath: string;
  supervisorPython: string;
  sandbox: 'namespaces' | 'process-group';
  identity: { uid: number; gid: number } | undefined;
  /** What the build may bind, and nobody else; undefined where the kernel does not help with addresses. */
  address: string | undefined;
  /** Index addresses, proxies and certificate files of the operator; nothing secret. */
  buildEnv: Record<string, string>;
  /** Lanner's own certificate authority: sources that a client uploaded are fetched from this platform. */
  caBundlePath: string | undefined;
  onLine(line: string, level: LogLevel): void;
  signal: AbortSignal;
}

/**
 * What the platform adds to every environment (grpc-controller 5.3): callables are pickled against them, and `fal.App`
 * imports grpc. Part of the first layer's resolution and unpinned, so that the user's own pins win. Never `fal`.
 */
const platformRequirements = ['cloudpickle', 'dill', 'tblib', 'grpcio'];
const failureTextChars = 8192;

/**
 * Builds a virtual environment in the exec sandbox: create, install layer by layer, compile.
 * @throws LannerError `build_failed` with the resolver's own text. The tree is left for the caller to remove.
 */
export async function buildTree(options: BuildTreeOptions): Promise<void> {
  const { tree, uvPath, python } = options;
  const certificates = await writeCertificates(options);
  const run = (what: string, argv: string[]): Promise<void> => runStep(what, argv, certificates, options);
  await run('uv venv', [
    ...[uvPath, 'venv', '--quiet', '--no-project', '--no-config'],
    ...['--python', python.path, '--prompt', 'app', tree],
  ]);
  for (const [index, requirements] of options.layers.entries()) {
    const own = expandRequirements(requirements, options.secrets);
    const lines = index === 0 ? [...platformRequirements, ...own] : own;
    if (lines.length === 0) continue;
    const file = join(options.inputFolder, `layer-${index}.txt`);
    // A requirements file instead of arguments: no requirement can become an option of uv itself.
    await writeFile(file, `${lines.join('\n')}\n`, { mode: 0o644 });
    if (requirements.length > 0)
      options.onLine(`Installing requirements: ${requirements.map(withoutPassword).join(', ')}`, 'info');
    const isLast = options.layers.slice(index + 1).every((later) => later.length === 0);
    // Of several indexes the best version wins, as with pip: that is what requirement lists are written for.
    await run('uv pip install', [
      ...[uvPath, 'pip', 'install', '--no-config', '--no-progress', '--color', 'never'],
      ...['--index-strategy', 'unsafe-best-match', '--python', join(tree, 'bin/python')],
      ...(isLast ? ['--compile-bytecode'] : []),
      ...['--requirements', file],
    ]);
  }
}

async function runStep(
  what: string,
  argv: string[],
  certificates: Record<string, string>,
  options: BuildTreeOptions,
): Promise<void> {
  const spec: LauncherSpec = {
    argv,
    env: {
      ...options.buildEnv,
      ...certificates,
      PATH: '/usr/local/bin:/usr/bin:/bin',
      HOME: options.sandbox === 'namespaces' ? '/home/lanner' : options.storeFolder,
      LANG: 'C.UTF-8',
      UV_CACHE_DIR: options.cacheFolder,
      UV_PYTHON_DOWNLOADS: 'never',
      GIT_TERMINAL_PROMPT: '0',
    },
    sandbox: options.sandbox,
    ...options.identity,
    interpreters: [options.python.path],
    binds: [
      { source: options.uvPath, readOnly: true },
      { source: options.inputFolder, readOnly: true },
      { source: options.storeFolder, readOnly: false },
      ...(options.buildEnv['SSL_CERT_DIR']?.startsWith('/') === true
        ? [{ source: options.buildEnv['SSL_CERT_DIR'], readOnly: true, optional: true }]
        : []),
    ],
    hostname: 'build',
    network: true,
    ...(options.address === undefined ? {} : { address: options.address }),
  };
  const errorLines: string[] = [];
  const mask = createMask(options.secrets);
  const end = await runProgram({
    program: options.supervisorPython,
    args: ['-I', launcherPath],
    env: {},
    input: encodeSpec(spec),
    signal: options.signal,
    onLine(printed, stream) {
      const line = mask(printed);
      if (stream === 'stderr') keepTail(errorLines, line);
      if (line !== '') options.onLine(line, 'info');
    },
  });
  if (options.signal.aborted) throw new LannerError('build_failed', 'The build was stopped.');
  if (end.code === 0) return;
  const text = errorLines.join('\n').trim();
  if (end.code !== null && launcherFailures.has(end.code)) {
    throw new LannerError('build_failed', `The build sandbox could not be made: ${text.split(launcherPrefix).at(-1)}`);
  }
  const status = end.signal === null ? `exit status ${end.code}` : end.signal;
  throw new LannerError('build_failed', `Failure during '${what}': ${text === '' ? status : text}`);
}

function keepTail(lines: string[], line: string): void {
  lines.push(line);
  let chars = lines.reduce((sum, each) => sum + each.length + 1, 0);
  while (chars > failureTextChars && lines.length > 1) chars -= lines.shift()!.length + 1;
}

/**
 * One file with what the operator trusts and what this platform signs. Without either, programs use their own roots.
 * @returns the variables that point to it.
 */
async function writeCertificates(options: BuildTreeOptions): Promise<Record<string, string>> {
  const sources = [options.buildEnv['SSL_CERT_FILE'], options.caBundlePath].filter((path) => path !== undefined);
  const texts = await Promise.all(sources.map((path) => readFile(path, 'utf8').catch(() => '')));
  if (texts.every((text) => text === '')) return {};
  const file = join(options.inputFolder, 'certificates.pem');
  await writeFile(file, texts.join('\n'), { mode: 0o644 });
  return { SSL_CERT_FILE: file, GIT_SSL_CAINFO: file, REQUESTS_CA_BUNDLE: file, PIP_CERT: file };
}

/** `https://user:password@host` in a requirement is shown without the password. */
function withoutPassword(requirement: string): string {
  return requirement.replace(/\/\/[^/\s@]*@/g, '//***@');
}
