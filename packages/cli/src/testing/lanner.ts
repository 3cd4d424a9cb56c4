import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const bin = fileURLToPath(new URL('../../bin/lanner.js', import.meta.url));

/** Removes what was pushed, last first; `t.after` and `after` both fit. */
interface Cleanup {
  after(cleanup: () => unknown): void;
}

/** A data folder of its own; whatever still runs on it is stopped before it goes away. */
export function temporaryDataDir(t: Cleanup): string {
  const folder = mkdtempSync(join(tmpdir(), 'lanner-cli-'));
  t.after(async () => {
    await lanner(['stop', '--timeout', '20'], folder);
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

export interface Outcome {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** Starts the command line as a user would, with the data folder named by `LANNER_HOME`. */
export function start(args: string[], dataDir: string, environment: NodeJS.ProcessEnv = {}): Running {
  const child = spawn(process.execPath, [bin, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_USE_ENV_PROXY: '', LANNER_HOME: dataDir, ...environment },
  });
  return follow(child);
}

export interface Running {
  child: ChildProcess;
  /** Resolves when standard output holds the text; rejects with everything printed when the process ends before. */
  printed(text: string): Promise<void>;
  ended: Promise<Outcome>;
}

/** Collects what a process prints. */
export function follow(child: ChildProcess): Running {
  let stdout = '';
  let stderr = '';
  const waiting = new Set<() => void>();
  child.stdout!.on('data', (chunk) => {
    stdout += chunk;
    for (const check of waiting) check();
  });
  child.stderr!.on('data', (chunk) => (stderr += chunk));
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, stdout, stderr }) as Outcome);
  return {
    child,
    ended,
    printed: (text) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          if (!stdout.includes(text)) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
        void ended.then((outcome) => reject(new Error(`ended before "${text}": ${JSON.stringify(outcome)}`)));
      }),
  };
}

/** Runs a command to its end. */
export function lanner(args: string[], dataDir: string, environment: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  return start(args, dataDir, environment).ended;
}

/** Starts a server on free ports and resolves when it is ready. */
export async function serve(dataDir: string, args: string[] = []): Promise<Running> {
  const server = start(['serve', '--port', '0', '--http-port', '0', ...args], dataDir);
  await server.printed('Lanner is ready');
  return server;
}

/** The variables of `lanner env`, as an object. */
export async function variables(dataDir: string, args: string[] = []): Promise<Record<string, string>> {
  const { code, stdout, stderr } = await lanner(['env', '--format', 'json', ...args], dataDir);
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

/** GET over TLS, trusting nothing but `ca`; resolves with status and body. */
export function get(
  url: string,
  ca: string,
  headers: Record<string, string>,
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const call = request(url, { ca, headers, agent: false }, (response) => {
      let body = '';
      response.on('data', (chunk) => (body += chunk));
      response.on('end', () => resolve({ status: response.statusCode!, body }));
    });
    call.on('error', reject);
    call.end();
  });
}
