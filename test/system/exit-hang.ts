/**
 * gRPC for Python can hang for ever while its process ends (seen with grpcio 1.85, `_MultiThreadedRendezvous.__del__`): the
 * status of a call arrives during the last milliseconds, the thread that handles it is stopped with the lock of the call,
 * and the finalizer waits for that lock. The official CLI leaves a stream early when a function raised, so a command of a
 * hundred or so ends that way, everything printed. That is no matter of the server's: such a command is given once more.
 */
import { readFileSync } from 'node:fs';
import type { ChildProcess } from 'node:child_process';

const lookEveryMs = 5_000;
const looksInARow = 4;

/**
 * Sends SIGABRT to a process whose main thread waits for a lock and was not woken once for twenty seconds: with
 * PYTHONFAULTHANDLER it says where. (Whoever waits for a server is woken all the time: gRPC and sockets have timeouts.)
 */
export function abortWhenHanging(child: ChildProcess): void {
  let seen = 0;
  let switches: string | null = null;
  const timer = setInterval(() => {
    const now = switchesOfLockedMain(child.pid);
    seen = now !== null && now === switches ? seen + 1 : 0;
    switches = now;
    if (seen >= looksInARow) child.kill('SIGABRT');
  }, lookEveryMs);
  const stop = (): void => clearInterval(timer);
  child.once('exit', stop);
  child.once('error', stop);
}

/** Whether that is how it ended. */
export function endedHanging(stderr: string): boolean {
  return /Fatal Python error: Aborted/.test(stderr) && /grpc\/_channel\.py", line \d+ in __del__/.test(stderr);
}

/** How often the main thread gave up its processor, when it waits for a lock; else null. */
function switchesOfLockedMain(pid: number | undefined): string | null {
  try {
    const thread = `/proc/${pid}/task/${pid}`;
    if (!readFileSync(`${thread}/wchan`, 'utf8').startsWith('futex')) return null;
    return /^voluntary_ctxt_switches:\s*(\d+)/m.exec(readFileSync(`${thread}/status`, 'utf8'))?.[1] ?? null;
  } catch {
    return null;
  }
}
