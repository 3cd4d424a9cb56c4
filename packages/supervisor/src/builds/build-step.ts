import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LannerError, type LogLevel } from '@lanner/protocol';
import { runProgram } from '../lib/run-program.ts';
import { createMask } from '../runners/mask-secrets.ts';
import {
  encodeSpec,
  launcherFailures,
  launcherPath,
  launcherPrefix,
  type Bind,
  type LauncherSpec,
} from '../sandbox/exec-sandbox.ts';
import type { BuildFolders } from './environment-store.ts';
import { hideCredentials } from './hide-credentials.ts';

/** What the steps of one build share. */
export interface BuildContext extends BuildFolders {
  /** For `${NAME}` in requirements and channels; the sandbox sees those alone, in a file. */
  secrets: Readonly<Record<string, string>>;
  uvPath: string;
  supervisorPython: string;
  sandbox: 'namespaces' | 'process-group';
  /** Who the steps run as, and who owns `storeFolder`. */
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

/** One program of a build. */
export interface BuildStep {
  /** Named by the error: `Failure during 'uv pip install': …`. */
  what: string;
  argv: string[];
  env?: Record<string, string>;
  /** Interpreters of the host that must work inside. */
  interpreters?: string[];
  /** More of the host that it sees. */
  binds?: Bind[];
}

/**
 * Runs a step in the exec sandbox.
 * @throws LannerError `build_failed` with the program's own text.
 */
export type RunStep = (step: BuildStep) => Promise<void>;

const failureTextChars = 8192;

/** Makes what every step of a build needs, and returns what runs them. */
export async function prepareSteps(context: BuildContext): Promise<RunStep> {
  const certificates = await writeCertificates(context);
  return (step) => runStep(step, certificates, context);
}

async function runStep(step: BuildStep, certificates: Record<string, string>, context: BuildContext): Promise<void> {
  const spec: LauncherSpec = {
    argv: step.argv,
    env: {
      ...context.buildEnv,
      ...certificates,
      PATH: '/usr/local/bin:/usr/bin:/bin',
      HOME: context.sandbox === 'namespaces' ? '/home/lanner' : context.storeFolder,
      LANG: 'C.UTF-8',
      GIT_TERMINAL_PROMPT: '0',
      ...step.env,
    },
    sandbox: context.sandbox,
    ...context.identity,
    interpreters: step.interpreters ?? [],
    binds: [
      ...(step.binds ?? []),
      { source: context.inputFolder, readOnly: true },
      { source: context.storeFolder, readOnly: false },
      ...(context.buildEnv['SSL_CERT_DIR']?.startsWith('/') === true
        ? [{ source: context.buildEnv['SSL_CERT_DIR'], readOnly: true, optional: true }]
        : []),
    ],
    hostname: 'build',
    network: true,
    ...(context.address === undefined ? {} : { address: context.address }),
  };
  const errorLines: string[] = [];
  const mask = createMask(context.secrets);
  const end = await runProgram({
    program: context.supervisorPython,
    args: ['-I', launcherPath],
    env: {},
    input: encodeSpec(spec),
    signal: context.signal,
    onLine(printed, stream) {
      const line = hideCredentials(mask(printed));
      if (stream === 'stderr') keepTail(errorLines, line);
      if (line !== '') context.onLine(line, 'info');
    },
  });
  if (context.signal.aborted) throw new LannerError('build_failed', 'The build was stopped.');
  if (end.code === 0) return;
  const text = errorLines.join('\n').trim();
  if (end.code !== null && launcherFailures.has(end.code)) {
    throw new LannerError('build_failed', `The build sandbox could not be made: ${text.split(launcherPrefix).at(-1)}`);
  }
  const status = end.signal === null ? `exit status ${end.code}` : end.signal;
  throw new LannerError('build_failed', `Failure during '${step.what}': ${text === '' ? status : text}`);
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
async function writeCertificates(context: BuildContext): Promise<Record<string, string>> {
  const sources = [context.buildEnv['SSL_CERT_FILE'], context.caBundlePath].filter((path) => path !== undefined);
  const texts = await Promise.all(sources.map((path) => readFile(path, 'utf8').catch(() => '')));
  if (texts.every((text) => text === '')) return {};
  const file = join(context.inputFolder, 'certificates.pem');
  await writeFile(file, texts.join('\n'), { mode: 0o644 });
  return { SSL_CERT_FILE: file, GIT_SSL_CAINFO: file, REQUESTS_CA_BUNDLE: file, PIP_CERT: file };
}
