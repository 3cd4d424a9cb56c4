/** A real platform for whole-system tests: `lanner serve` in a temporary folder, and the official clients against it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { chown, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { ensurePythonEnv } from '../../scripts/python-env.ts';
import { abortWhenHanging, endedHanging } from './exit-hang.ts';

export const repositoryRoot: string = resolve(import.meta.dirname, '../..');
export const lannerBin: string = join(repositoryRoot, 'packages/cli/bin/lanner.js');

export interface CommandResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  env?: Record<string, string | undefined>;
  cwd?: string;
  input?: string;
  /** Called with each piece of standard output, e.g. to look at time. */
  onStdout?: (text: string) => void;
  timeoutMs?: number;
  signal?: AbortSignal;
  /** User (and group) it runs as; default ours. */
  uid?: number | undefined;
}

export interface Platform {
  readonly dataDir: string;
  /** What `lanner env --format json` prints. */
  readonly variables: Record<string, string>;
  readonly owner: string;
  /** `http://127.0.0.1:port` of the clear-text port, where every role is a path. */
  readonly clearOrigin: string;
  /** Python of the official clients. */
  readonly pythonPath: string;
  /** PID of the server process. */
  readonly serverPid: number;
  /** Runs any program with the environment of `lanner env`, nothing of ours besides. */
  run(command: string, args: string[], options?: RunOptions): Promise<CommandResult>;
  /** The official CLI. */
  fal(args: string[], options?: RunOptions): Promise<CommandResult>;
  python(script: string, options?: RunOptions): Promise<CommandResult>;
  lanner(args: string[], options?: RunOptions): Promise<CommandResult>;
  /** Calls the gateway over TLS the way curl would. */
  call(path: string, init?: RequestInit & { key?: string | null }): Promise<Response>;
  /** Ends the server only, as a crash would. */
  killServer(): Promise<void>;
  /** Starts the server again on the same folder and ports. */
  startServer(): Promise<void>;
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

function identity(uid: number | undefined): { uid?: number; gid?: number } {
  return uid === undefined ? {} : { uid, gid: uid };
}

/**
 * Runs a program to its end, with exactly this environment.
 * @throws Error with everything it printed, and for Python where its threads stood, when it does not end in time.
 */
export async function runCommand(
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv,
  options: RunOptions = {},
): Promise<CommandResult> {
  const result = await runOnce(command, args, env, options);
  if (!endedHanging(result.stderr)) return result;
  process.stderr.write(`${args.join(' ').slice(0, 100)}: the client hung while it ended (grpc); it is run once more\n`);
  return runOnce(command, args, env, options);
}

function runOnce(command: string, args: string[], env: NodeJS.ProcessEnv, options: RunOptions): Promise<CommandResult> {
  return new Promise((settle, reject) => {
    const child = spawn(command, args, {
      env,
      cwd: options.cwd ?? repositoryRoot,
      stdio: ['pipe', 'pipe', 'pipe'],
      signal: options.signal,
      killSignal: 'SIGINT',
      ...identity(options.uid),
    });
    abortWhenHanging(child);
    let stdout = '';
    let stderr = '';
    const timeoutMs = options.timeoutMs ?? 120_000;
    // Python prints where each of its threads stands (PYTHONFAULTHANDLER); what survives that is killed.
    let isLate = false;
    let killTimer: NodeJS.Timeout | undefined;
    const timer = setTimeout(() => {
      isLate = true;
      child.kill('SIGABRT');
      killTimer = setTimeout(() => child.kill('SIGKILL'), 2_000);
    }, timeoutMs);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      options.onStdout?.(text);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', (error) => (error.name === 'AbortError' ? undefined : reject(error)));
    child.on('close', (code) => {
      clearTimeout(timer);
      clearTimeout(killTimer);
      if (!isLate) return settle({ code, stdout, stderr });
      const title = [command, ...args].join(' ').slice(0, 200);
      reject(new Error(`not ended within ${timeoutMs} ms: ${title}\n── stdout\n${stdout}\n── stderr\n${stderr}`));
    });
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
  });
}

/** The environment of a newcomer's shell: nothing of fal or Lanner in it. */
export function bareEnvironment(home: string): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(FAL_|LANNER_|ISOLATE_|CONDA_|MAMBA_|NODE_(?!EXTRA)|https?_proxy|no_proxy)/i.test(name),
  );
  return { ...Object.fromEntries(kept), HOME: home, FAL_HOME_DIR: join(home, '.fal'), NO_COLOR: '1', COLUMNS: '200' };
}

/** Waits for output of a process that fits the pattern; rejects with what it said when it ends before. */
export async function waitForLine(child: ChildProcess, pattern: RegExp, withinMs: number): Promise<string> {
  return new Promise((settle, reject) => {
    let seen = '';
    const outputs = [child.stdout, child.stderr];
    const stopLooking = (): void => {
      clearTimeout(timer);
      child.off('exit', onExit);
      for (const output of outputs) output?.off('data', look);
    };
    const timer = setTimeout(() => {
      stopLooking();
      reject(new Error(`no line like ${pattern} within ${withinMs} ms; saw:\n${seen}`));
    }, withinMs);
    const look = (text: string): void => {
      seen += text;
      if (!pattern.test(seen)) return;
      stopLooking();
      settle(seen);
    };
    const onExit = (code: number | null): void => {
      stopLooking();
      reject(new Error(`lanner serve ended with ${code}:\n${seen}`));
    };
    for (const output of outputs) output?.setEncoding('utf8').on('data', look);
    child.on('exit', onExit);
  });
}

export interface PlatformOptions {
  /** Added to `lanner serve`. */
  serveArgs?: string[];
  mode?: 'path' | 'domain';
  /** User (and group) the server runs as; default ours. */
  uid?: number;
  /** Folder of programs that it finds before all others. */
  programs?: string;
}

/** Characters of a server's output that errors may quote. */
const keptOutput = 100_000;

/** Starts a platform in a folder of its own. */
export async function startPlatform(options: PlatformOptions = {}): Promise<Platform> {
  const home = await mkdtemp(join(tmpdir(), 'lanner-system-'));
  if (options.uid !== undefined) await chown(home, options.uid, options.uid);
  const dataDir = join(home, 'data');
  const owner = 'acme';
  const bare = bareEnvironment(home);
  const pythonEnv = await ensurePythonEnv();
  bare['PATH'] = [
    ...(options.programs === undefined ? [] : [options.programs]),
    pythonEnv.bin,
    bare['PATH'] ?? '',
  ].join(delimiter);
  let ports = ['--port', '0', '--http-port', '0'];
  let server: ChildProcess | undefined;
  let said = '';
  let variables: Record<string, string> = {};

  const lanner = (args: string[], runOptions: RunOptions = {}): Promise<CommandResult> =>
    runCommand(
      process.execPath,
      [lannerBin, ...args],
      { ...bare, ...runOptions.env },
      { uid: options.uid, ...runOptions },
    );

  const startServer = async (): Promise<void> => {
    server = spawn(
      process.execPath,
      [lannerBin, 'serve', '--data-dir', dataDir, '--account', owner, ...ports, ...(options.serveArgs ?? [])],
      {
        env: bare,
        stdio: ['ignore', 'pipe', 'pipe'],
        ...identity(options.uid),
      },
    );
    for (const output of [server.stdout, server.stderr]) {
      output!.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        // Not each time: copying it for every line of a busy server takes a whole core.
        if (said.length > 2 * keptOutput) said = said.slice(-keptOutput);
      });
    }
    await waitForLine(server, /ready/i, 60_000);
    const state = JSON.parse(await readFile(join(dataDir, 'run/server.json'), 'utf8')) as {
      tlsPort: number;
      httpPort: number;
    };
    ports = ['--port', String(state.tlsPort), '--http-port', String(state.httpPort)];
    const printed = await lanner(['env', '--data-dir', dataDir, '--format', 'json', '--mode', options.mode ?? 'path']);
    if (printed.code !== 0) throw new Error(`lanner env failed:\n${printed.stdout}${printed.stderr}`);
    variables = JSON.parse(printed.stdout) as Record<string, string>;
  };

  const stop = async (): Promise<void> => {
    if (server && server.exitCode === null && server.signalCode === null) {
      const ended = new Promise((settle) => server!.once('exit', settle));
      server.kill('SIGTERM');
      await ended;
    } else {
      await lanner(['stop', '--data-dir', dataDir]);
    }
    await rm(home, { recursive: true, force: true });
  };

  try {
    await startServer();
  } catch (error) {
    await stop().catch(() => undefined);
    throw error;
  }
  const run = (command: string, args: string[], runOptions: RunOptions = {}): Promise<CommandResult> =>
    runCommand(command, args, { ...bare, PYTHONFAULTHANDLER: '1', ...variables, ...runOptions.env }, runOptions).catch(
      (error: Error) => {
        error.message += `\n── server\n${said.slice(-20_000)}`;
        throw error;
      },
    );

  return {
    dataDir,
    owner,
    get clearOrigin() {
      return `http://127.0.0.1:${ports[3]}`;
    },
    get variables() {
      return variables;
    },
    pythonPath: pythonEnv.python,
    get serverPid() {
      return server!.pid!;
    },
    run,
    fal: (args, runOptions) => run(join(pythonEnv.bin, 'fal'), args, runOptions),
    python: (script, runOptions) => run(pythonEnv.python, ['-c', script], runOptions),
    lanner,
    async call(path, init = {}) {
      const key = init.key === undefined ? variables['FAL_KEY'] : init.key;
      const url = `http://127.0.0.1:${ports[3]}/run/${owner}${path}`;
      const headers = new Headers(init.headers);
      if (key) headers.set('authorization', `Key ${key}`);
      return fetch(url, { ...init, headers });
    },
    async killServer() {
      const ended = new Promise((settle) => server!.once('exit', settle));
      server!.kill('SIGKILL');
      await ended;
    },
    startServer,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Repeats an assertion until it holds; the last failure is thrown when it never does. */
export async function eventually(assertion: () => void | Promise<void>, withinMs: number): Promise<void> {
  const deadlineMs = performance.now() + withinMs;
  for (;;) {
    try {
      return await assertion();
    } catch (error) {
      if (performance.now() > deadlineMs) throw error;
    }
    await new Promise((settle) => setTimeout(settle, 50));
  }
}
