import { spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { LannerError, type SessionOrder, type SessionSize } from '@lanner/protocol';
import { sessionPath } from '../sandbox/exec-sandbox.ts';
import type { SessionPlace } from './session-place.ts';

/** A command that runs in a runner. */
export interface Session {
  input: Writable;
  stdout: Readable;
  stderr: Readable;
  resize(size: SessionSize): void;
  /** Ends the command and what it started in its own process group. */
  kill(): void;
  /**
   * Exit code, 128 + n for signal n; resolves when all output was read.
   * @throws LannerError `session_failed` when it could not be begun.
   */
  ended: Promise<number>;
}

const notBegun = 125;
const longestReason = 4_000;

/** Starts a command beside the app of a runner, through python/session.py. */
export function runSession(place: SessionPlace, order: SessionOrder): Session {
  const { pythonPath, ...rest } = place;
  // A session of its own: a terminal's signals are for the command.
  const child = spawn(pythonPath, ['-I', sessionPath], {
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    env: {},
    detached: true,
  });
  const control = child.stdio[3] as unknown as Writable & Readable;
  let reason = '';
  control.setEncoding('utf8').on('data', (text: string) => (reason = (reason + text).slice(0, longestReason)));
  for (const stream of [control, child.stdin]) stream.on('error', () => {}); // it has ended: its status says more
  // Through a pipe: the environment holds secrets, and arguments are for everybody to see.
  control.write(`${JSON.stringify({ ...rest, ...order })}\n`);
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', (cause) => reject(failed('its helper could not be started', cause)));
    child.once('close', (code, signal) => {
      if (code === notBegun && reason !== '') reject(failed(reason.trim()));
      else resolve(code ?? (signal === 'SIGKILL' ? 137 : 143));
    });
  });
  ended.catch(() => {});
  return {
    input: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    resize: (size) => void control.write(`${JSON.stringify(size)}\n`),
    kill: () => void child.kill('SIGTERM'),
    ended,
  };
}

function failed(reason: string, cause?: unknown): LannerError {
  return new LannerError('session_failed', `The command could not be started in the runner: ${reason}.`, { cause });
}
