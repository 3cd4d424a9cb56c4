import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync, readSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  LannerError,
  supervisorLockedStatus,
  supervisorProtocolVersion,
  type Clock,
  type SupervisorStatus,
} from '@lanner/protocol';
import type { Logger } from 'pino';
import { holdProcess } from '../lib/hold-process.ts';
import { isSupervisorOf } from '../lib/process-command.ts';
import type { SupervisorLink } from './supervisor-link.ts';
import { defaultSupervisorPatience, type SupervisorPatience } from './supervisor-patience.ts';

export interface SupervisorProcessSettings {
  /** Absolute path of the data folder; the supervisor serves exactly one. */
  dataDir: string;
  /** Program that `process.execPath` runs with `--data-dir DIR`. */
  supervisorEntry: string;
  clock: Clock;
  log: Logger;
  /** Default: {@link defaultSupervisorPatience}. */
  patience?: SupervisorPatience | undefined;
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
   * starts one. One that lives and does not answer is waited for a while. Throws `supervisor_unavailable` with the end of
   * its log or with what to do, or the signal's reason.
   */
  ensure(signal: AbortSignal): Promise<SupervisorSession>;
  /** False once the process is known to be gone. */
  isAlive(pid: number): boolean;
  /** Kills a supervisor that hangs, when the process surely is one. False: it lives on, or is somebody else by now. */
  endHanging(pid: number): Promise<boolean>;
  /** Ends supervisor and runners; resolves when the process is gone, and kills it when it takes too long. */
  end(session: SupervisorSession, graceMs: number): Promise<void>;
}

/** What the supervisor writes to `run/supervisor.json` once it listens. */
interface SupervisorFile {
  pid: number;
  socket: string;
}

const startCheckMs = 10;
const adoptionCheckMs = 200;
const endCheckMs = 20;
/** The log of the run before is kept once, so that it cannot grow for ever. */
const logRotationBytes = 16 * 1024 * 1024;
const logTailBytes = 2_000;

export function createSupervisorProcess(settings: SupervisorProcessSettings): SupervisorProcess {
  const { dataDir, clock, log, patience = defaultSupervisorPatience } = settings;
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

  /** `gone`: nobody listens there. `silent`: somebody does, and does not answer. */
  const greet = async (
    file: SupervisorFile,
    signal: AbortSignal,
  ): Promise<Omit<SupervisorSession, 'adopted'> | 'gone' | 'silent'> => {
    // Loaded once somebody is there to talk to: a supervisor that has to be started is, sooner.
    const { createSupervisorLink } = await import('./supervisor-link.ts');
    const link = createSupervisorLink(file.socket, patience);
    const timeout = new AbortController();
    const timer = clock.setTimer(patience.greetingMs, () => timeout.abort(new Error('no answer in time')));
    try {
      return { link, status: await link.status(AbortSignal.any([signal, timeout.signal])) };
    } catch (error) {
      await link.close();
      signal.throwIfAborted();
      return isRefused(error) ? 'gone' : 'silent';
    } finally {
      timer.cancel();
    }
  };

  /** The supervisor that a file left in the folder tells of; null when there is none any more. */
  const findPresent = async (signal: AbortSignal): Promise<Omit<SupervisorSession, 'adopted'> | null> => {
    const untilMs = clock.monotonicMs() + patience.adoptionMs;
    for (let isFirst = true; ; isFirst = false) {
      const file = readFile();
      if (file === null || !isAlive(file.pid)) return null;
      const answer = await greet(file, signal);
      if (answer === 'gone') return null;
      if (answer !== 'silent') return answer;
      if (isFirst) log.warn({ pid: file.pid }, 'the supervisor of this data folder does not answer yet');
      if (clock.monotonicMs() >= untilMs) throw hanging(file.pid);
      await clock.sleep(adoptionCheckMs, signal);
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
    const untilMs = clock.monotonicMs() + patience.startMs;
    for (;;) {
      await clock.sleep(startCheckMs, signal);
      if (child.exitCode !== null || child.signalCode !== null) {
        const end = child.signalCode ?? `status ${child.exitCode}`;
        const error = notStarted(`The supervisor ended with ${end} before it answered.`, readTail(logFd, logStart));
        if (child.exitCode === supervisorLockedStatus) throw new OtherSupervisor(error);
        throw error;
      }
      const file = readFile();
      const answer = file !== null && file.pid === child.pid ? await greet(file, signal) : 'gone';
      if (typeof answer === 'object') return { ...answer, adopted: false };
      if (clock.monotonicMs() < untilMs) continue;
      throw notStarted(`The supervisor did not answer within ${patience.startMs / 1000} s.`, readTail(logFd, logStart));
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
        if (!(await waitForEnd(child.pid, patience.endMarginMs))) child.kill('SIGKILL');
        throw error;
      }
    } finally {
      closeSync(logFd);
    }
  };

  const end = async (session: SupervisorSession, graceMs: number): Promise<void> => {
    const { pid } = session.status;
    const { endMarginMs } = patience;
    // One that hangs must not hold us up: closing the link breaks the call off.
    const timer = clock.setTimer(endMarginMs, () => void session.link.close());
    await session.link.shutdown({ graceMs }).catch((error: unknown) => {
      log.warn({ err: error, pid }, 'the supervisor did not take the order to end');
    });
    timer.cancel();
    await session.link.close();
    if (await waitForEnd(pid, graceMs + endMarginMs)) return;
    log.warn({ pid }, 'the supervisor did not end in time and is killed');
    await endHanging(pid);
  };

  const endHanging = async (pid: number): Promise<boolean> => {
    // The number may be another process's by now: a child of ours, or a command line that names our folder, is proof.
    const isOurs = (children.has(pid) && isAlive(pid)) || isSupervisorOf(pid, dataDir);
    if (!isOurs) return false;
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      log.warn({ err: error, pid }, 'the supervisor could not be killed');
    }
    return waitForEnd(pid, patience.endMarginMs);
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
    const untilMs = clock.monotonicMs() + patience.adoptionMs;
    for (;;) {
      const present = await findPresent(signal);
      if (present !== null && isSpoken(present.status.protocolVersion)) return { ...present, adopted: true };
      if (present !== null) {
        const { pid, protocolVersion } = present.status;
        log.warn({ version: protocolVersion, pid }, 'a supervisor of another protocol version is replaced');
        await end({ ...present, adopted: true }, 5_000);
      }
      try {
        return await start(signal);
      } catch (error) {
        if (!(error instanceof OtherSupervisor)) throw error;
        // On its way in, begun by a server that died, or on its way out.
        if (clock.monotonicMs() >= untilMs) throw error.cause;
      }
      await clock.sleep(adoptionCheckMs, signal);
    }
  };

  return {
    isAlive,
    endHanging: (pid) => holding(() => endHanging(pid)),
    end: (session, graceMs) => holding(() => end(session, graceMs)),
    ensure: (signal) => holding(() => ensure(signal)),
  };
}

/** The folder has another supervisor, which cannot be talked to at the moment. The cause is the error to tell. */
class OtherSupervisor extends Error {
  constructor(cause: LannerError) {
    super(cause.message, { cause });
  }
}

/** Ours, or the one before; version 1 was never released. */
function isSpoken(version: number): boolean {
  return version === supervisorProtocolVersion || (version > 1 && version === supervisorProtocolVersion - 1);
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

/** True when the socket is there without a listener, or not there. */
export function isRefused(error: unknown): boolean {
  const code = ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code;
  return code === 'ECONNREFUSED' || code === 'ENOENT';
}

function hanging(pid: number): LannerError {
  return new LannerError(
    'supervisor_unavailable',
    `The supervisor of this data folder (pid ${pid}) runs but does not answer. ` +
      'Wait if it is only paused; else end it, and its runners with it, by `lanner stop`, then start again.',
    { details: { pid } },
  );
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
