import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync, readSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { LannerError, supervisorProtocolVersion, type Clock, type SupervisorStatus } from '@lanner/protocol';
import type { Logger } from 'pino';
import { holdProcess } from '../lib/hold-process.ts';
import { createSupervisorLink, type SupervisorLink } from './supervisor-link.ts';

export interface SupervisorProcessSettings {
  /** Absolute path of the data folder; the supervisor serves exactly one. */
  dataDir: string;
  /** Program that `process.execPath` runs with `--data-dir DIR`. */
  supervisorEntry: string;
  clock: Clock;
  log: Logger;
}

/** A supervisor that answers. */
export interface SupervisorSession {
  link: SupervisorLink;
  status: SupervisorStatus;
  /** It was running before. */
  adopted: boolean;
}

/** The supervisor of this machine as a process: it outlives us unless told to end. */
export interface SupervisorProcess {
  /**
   * Adopts the supervisor of this data folder when one answers and speaks our protocol version or the one before, else
   * starts one. Throws `supervisor_unavailable` with the end of its log, or the signal's reason.
   */
  ensure(signal: AbortSignal): Promise<SupervisorSession>;
  /** False once the process is known to be gone. */
  isAlive(pid: number): boolean;
  /** Ends supervisor and runners; resolves when the process is gone, and kills it when it takes too long. */
  end(session: SupervisorSession, graceMs: number): Promise<void>;
}

/** What the supervisor writes to `run/supervisor.json` once it listens. */
interface SupervisorFile {
  pid: number;
  socket: string;
}

const firstAnswerMs = 3_000;
const startTimeoutMs = 20_000;
const startCheckMs = 10;
/** On top of the grace period, before a supervisor that should end is killed. */
const endMarginMs = 5_000;
const endCheckMs = 20;
/** The log of the run before is kept once, so that it cannot grow for ever. */
const logRotationBytes = 16 * 1024 * 1024;
const logTailBytes = 2_000;

export function createSupervisorProcess(settings: SupervisorProcessSettings): SupervisorProcess {
  const { dataDir, clock, log } = settings;
  const filePath = join(dataDir, 'run', 'supervisor.json');
  const logPath = join(dataDir, 'logs', 'supervisor.log');
  /** Those we started ourselves: their end is seen at once, and they may be killed without mistaking a process. */
  const children = new Map<number, ChildProcess>();

  const readFile = (): SupervisorFile | null => {
    try {
      const file = JSON.parse(readFileSync(filePath, 'utf8')) as Partial<SupervisorFile>;
      return typeof file.pid === 'number' && typeof file.socket === 'string' ? (file as SupervisorFile) : null;
    } catch {
      return null;
    }
  };

  /** null when nobody answers there. */
  const greet = async (
    file: SupervisorFile,
    signal: AbortSignal,
  ): Promise<Omit<SupervisorSession, 'adopted'> | null> => {
    const link = createSupervisorLink(file.socket);
    const timeout = new AbortController();
    const timer = clock.setTimer(firstAnswerMs, () => timeout.abort(new Error('no answer in time')));
    try {
      return { link, status: await link.status(AbortSignal.any([signal, timeout.signal])) };
    } catch {
      await link.close();
      signal.throwIfAborted();
      return null;
    } finally {
      timer.cancel();
    }
  };

  const isAlive = (pid: number): boolean => {
    const child = children.get(pid);
    if (child) return child.exitCode === null && child.signalCode === null;
    return isProcessAlive(pid);
  };

  const waitForEnd = async (pid: number, limitMs: number): Promise<boolean> => {
    const untilMs = clock.monotonicMs() + limitMs;
    while (isAlive(pid)) {
      if (clock.monotonicMs() >= untilMs) return false;
      await clock.sleep(endCheckMs);
    }
    return true;
  };

  /** Waits until a supervisor that was just spawned answers. */
  const firstAnswer = async (
    child: ChildProcess,
    logFd: number,
    logStart: number,
    signal: AbortSignal,
  ): Promise<SupervisorSession> => {
    const untilMs = clock.monotonicMs() + startTimeoutMs;
    for (;;) {
      await clock.sleep(startCheckMs, signal);
      if (child.exitCode !== null || child.signalCode !== null) {
        const end = child.signalCode ?? `status ${child.exitCode}`;
        throw notStarted(`The supervisor ended with ${end} before it answered.`, readTail(logFd, logStart));
      }
      const file = readFile();
      const session = file !== null && file.pid === child.pid ? await greet(file, signal) : null;
      if (session) return { ...session, adopted: false };
      if (clock.monotonicMs() < untilMs) continue;
      throw notStarted(`The supervisor did not answer within ${startTimeoutMs / 1000} s.`, readTail(logFd, logStart));
    }
  };

  const start = async (signal: AbortSignal): Promise<SupervisorSession> => {
    mkdirSync(join(dataDir, 'logs'), { recursive: true, mode: 0o700 });
    rotate(logPath);
    const logFd = openSync(logPath, 'a+', 0o600);
    const logStart = fstatSync(logFd).size;
    try {
      // A session of its own: Ctrl-C in our terminal is ours to handle.
      const child = spawn(process.execPath, [settings.supervisorEntry, '--data-dir', dataDir], {
        detached: true,
        stdio: ['ignore', logFd, logFd],
      });
      const spawned = await new Promise<unknown>((resolve) => {
        child.once('error', resolve);
        child.once('spawn', () => resolve(null));
      });
      if (spawned !== null || child.pid === undefined)
        throw notStarted('The supervisor could not be started.', '', spawned);
      child.unref();
      children.set(child.pid, child);
      child.once('exit', () => children.delete(child.pid ?? 0));
      try {
        return await firstAnswer(child, logFd, logStart, signal);
      } catch (error) {
        // It has no runners yet, and nobody else knows of it.
        child.kill('SIGTERM');
        if (!(await waitForEnd(child.pid, endMarginMs))) child.kill('SIGKILL');
        throw error;
      }
    } finally {
      closeSync(logFd);
    }
  };

  const end = async (session: SupervisorSession, graceMs: number): Promise<void> => {
    const { pid } = session.status;
    await session.link.shutdown({ graceMs }).catch((error: unknown) => {
      log.warn({ err: error, pid }, 'the supervisor did not take the order to end');
    });
    await session.link.close();
    if (await waitForEnd(pid, graceMs + endMarginMs)) return;
    log.warn({ pid }, 'the supervisor did not end in time');
    // Only a child of ours is surely the process we mean.
    if (children.get(pid)?.kill('SIGKILL')) await waitForEnd(pid, endMarginMs);
  };

  /** Timers of the clock do not keep a process alive; while we wait for another one, nothing else may. */
  const holding = async <T>(work: () => Promise<T>): Promise<T> => {
    const release = holdProcess();
    try {
      return await work();
    } finally {
      release();
    }
  };

  const ensure = async (signal: AbortSignal): Promise<SupervisorSession> => {
    const file = readFile();
    const present = file && isAlive(file.pid) ? await greet(file, signal) : null;
    if (!present) return start(signal);
    const version = present.status.protocolVersion;
    if (version === supervisorProtocolVersion || version === supervisorProtocolVersion - 1) {
      return { ...present, adopted: true };
    }
    log.warn({ version, pid: present.status.pid }, 'a supervisor of another protocol version is replaced');
    await end({ ...present, adopted: true }, 5_000);
    return start(signal);
  };

  return {
    isAlive,
    end: (session, graceMs) => holding(() => end(session, graceMs)),
    ensure: (signal) => holding(() => ensure(signal)),
  };
}

/** True while a process has this id. A zombie counts as gone: where nobody reaps orphans it would stay for ever. */
function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.charAt(stat.lastIndexOf(')') + 2) !== 'Z';
  } catch {
    // No /proc here; the signal has answered already.
    return true;
  }
}

function notStarted(sentence: string, logTail: string, cause?: unknown): LannerError {
  const output = logTail === '' ? '' : ` The end of its log:\n${logTail}`;
  return new LannerError('supervisor_unavailable', `${sentence}${output}`, cause === undefined ? {} : { cause });
}

function rotate(path: string): void {
  try {
    if (statSync(path).size > logRotationBytes) renameSync(path, `${path}.1`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** What was written since `from`, its last part. */
function readTail(fd: number, from: number): string {
  const start = Math.max(from, fstatSync(fd).size - logTailBytes);
  const buffer = Buffer.alloc(logTailBytes);
  const length = readSync(fd, buffer, 0, logTailBytes, start);
  return buffer.toString('utf8', 0, length).trim();
}
