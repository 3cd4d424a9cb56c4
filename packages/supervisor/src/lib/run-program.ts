import { spawn } from 'node:child_process';
import { createLineSplitter } from './line-splitter.ts';

/** How a program ended. Exactly one of both is null, or both when it could not be started. */
export interface ProgramEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface ProgramCall {
  program: string;
  args: readonly string[];
  /** The whole environment; nothing of this process's own is added. */
  env: Record<string, string>;
  cwd?: string;
  /** Written to standard input, which then stays open until the program ends. Default: no standard input. */
  input?: string;
  onLine(line: string, stream: 'stdout' | 'stderr'): void;
  /** Aborted: the program gets SIGKILL. */
  signal?: AbortSignal;
}

/**
 * Runs a program to its end, handing on its output line by line. Never through a shell.
 * @throws the error of the system when the program cannot be started.
 */
export function runProgram(call: ProgramCall): Promise<ProgramEnd> {
  return new Promise((resolve, reject) => {
    const child = spawn(call.program, call.args, {
      env: call.env,
      stdio: [call.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      ...(call.cwd === undefined ? {} : { cwd: call.cwd }),
    });
    const kill = (): void => {
      child.kill('SIGKILL');
    };
    const finish = (): void => call.signal?.removeEventListener('abort', kill);
    if (call.signal?.aborted) kill();
    call.signal?.addEventListener('abort', kill, { once: true });
    for (const name of ['stdout', 'stderr'] as const) {
      const lines = createLineSplitter((line) => call.onLine(line, name));
      child[name]!.on('data', lines.push);
      child[name]!.on('end', lines.end);
    }
    child.stdin?.on('error', () => {}); // it ended before it read everything: its exit status says more
    if (call.input !== undefined) child.stdin?.write(call.input);
    child.once('error', (error) => {
      finish();
      reject(error);
    });
    child.once('close', (code, signal) => {
      finish();
      resolve({ code, signal });
    });
  });
}

/** What a program prints on standard output; undefined when it cannot be started or does not end well. */
export async function askProgram(call: Omit<ProgramCall, 'onLine'>): Promise<string[] | undefined> {
  const lines: string[] = [];
  const end = await runProgram({
    ...call,
    onLine: (line, stream) => stream === 'stdout' && lines.push(line),
  }).catch(() => undefined);
  return end?.code === 0 ? lines : undefined;
}
