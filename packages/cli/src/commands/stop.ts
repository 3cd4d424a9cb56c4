import { setTimeout as sleep } from 'node:timers/promises';
import { isDataDirLocked, isSupervisorOf, processCommand, readFileIfPresent } from '@lanner/server/config';
import { chosenDataDir } from '../find-platform.ts';
import { CommandError, note, print } from '../output.ts';

const pollMs = 50;
/** A supervisor without a server gives its runners 10 seconds; one that takes longer hangs. */
const supervisorGraceMs = 15_000;

/** `lanner stop`: returns when server, supervisor and runners have ended. Nothing running is not an error. */
export async function stop(options: { dataDir?: string; timeout: string }): Promise<void> {
  const timeoutMs = Number(options.timeout) * 1000;
  if (!(timeoutMs >= 0)) throw new CommandError(`--timeout "${options.timeout}" is not a number of seconds.`, '', 2);
  const dataDir = chosenDataDir(options.dataDir);
  const endMs = performance.now() + timeoutMs;
  const isServerRunning = (): boolean => isDataDirLocked(dataDir);
  let stoppedAny = false;

  if (isServerRunning()) {
    const pid = readPid(dataDir.serverPid);
    if (pid === null) {
      throw new CommandError(`The server of ${dataDir.root} has not written its pid yet.`, 'Try again in a second.');
    }
    // SIGINT ends everything; SIGTERM would leave the supervisor of a detached server alive.
    signal(pid, 'SIGINT');
    await untilGone(isServerRunning, endMs, `The server (pid ${pid})`);
    stoppedAny = true;
  }
  // A server that crashed leaves its supervisor behind; nobody would end it before its lease does.
  const supervisor = readPid(dataDir.supervisorPid);
  if (supervisor !== null && isSupervisor(supervisor)) {
    signal(supervisor, 'SIGTERM');
    const isThere = (): boolean => isSupervisor(supervisor);
    const isGone = await isGoneBy(isThere, Math.min(endMs, performance.now() + supervisorGraceMs));
    if (!isGone && isSupervisorOf(supervisor, dataDir.root)) {
      note(`The supervisor (pid ${supervisor}) does not end by itself and is killed.`);
      signal(supervisor, 'SIGKILL');
    }
    await untilGone(
      isThere,
      Math.max(endMs, performance.now() + supervisorGraceMs),
      `The supervisor (pid ${supervisor})`,
    );
    stoppedAny = true;
  }
  print(stoppedAny ? `Lanner on ${dataDir.root} has stopped.` : `Nothing runs on ${dataDir.root}.`);
}

async function untilGone(isThere: () => boolean, endMs: number, what: string): Promise<void> {
  if (await isGoneBy(isThere, endMs)) return;
  throw new CommandError(
    `${what} is still stopping.`,
    'Requests may be in flight: wait, or run `lanner stop` again to end them now.',
  );
}

async function isGoneBy(isThere: () => boolean, endMs: number): Promise<boolean> {
  while (isThere()) {
    if (performance.now() >= endMs) return false;
    await sleep(pollMs);
  }
  return true;
}

function readPid(path: string): number | null {
  const pid = Number(readFileIfPresent(path)?.trim());
  return Number.isInteger(pid) && pid > 1 ? pid : null;
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ESRCH')
      throw new CommandError(`The process ${pid} cannot be stopped (${code}).`, 'Run this as the user who started it.');
  }
}

/** Whether the pid still is a supervisor: after a crash the number may belong to somebody else by now. */
function isSupervisor(pid: number): boolean {
  return processCommand(pid)?.includes('supervisor') === true;
}
