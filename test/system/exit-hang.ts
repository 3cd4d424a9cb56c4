/**
 * gRPC for Python can hang for ever while its process ends (seen with grpcio 1.85, `_MultiThreadedRendezvous.__del__`): the
 * status of a call arrives during the last milliseconds, the thread that handles it is stopped with the lock of the call,
 * and the finalizer waits for that lock. The official CLI leaves a stream early when a function raised, so a command of a
 * hundred or so ends that way, everything printed. That is no matter of the server's: such a command is given once more.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { ChildProcess } from 'node:child_process';

const lookEveryMs = 5_000;
const looksInARow = 2;

/** Sends SIGABRT to a process that has one thread left and waits for a lock: with PYTHONFAULTHANDLER it says where. */
export function abortWhenHanging(child: ChildProcess): void {
  let seen = 0;
  const timer = setInterval(() => {
    seen = isHanging(child.pid) ? seen + 1 : 0;
    if (seen >= looksInARow) child.kill('SIGABRT');
  }, lookEveryMs);
  // What could not be started never exits.
  for (const end of ['exit', 'error']) child.once(end, () => clearInterval(timer));
}

/** Whether that is how it ended. */
export function endedHanging(stderr: string): boolean {
  return /Fatal Python error: Aborted/.test(stderr) && /grpc\/_channel\.py", line \d+ in __del__/.test(stderr);
}

function isHanging(pid: number | undefined): boolean {
  try {
    return (
      readdirSync(`/proc/${pid}/task`).length === 1 && readFileSync(`/proc/${pid}/wchan`, 'utf8').startsWith('futex')
    );
  } catch {
    return false;
  }
}
