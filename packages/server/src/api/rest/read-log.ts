import { isLannerError } from '@lanner/protocol';
import type { RunnerLogs } from '../../observe/runner-logs.ts';
import type { Fleet, LogLine, RunnerView } from '../../scheduler/fleet.ts';

export type LogRange = Parameters<RunnerLogs['read']>[2];

/** A runner that lives or ended lately; undefined when the account has none of that id. */
export function findRunner(
  fleet: Pick<Fleet, 'listRunners'>,
  accountId: string,
  runnerId: string,
): RunnerView | undefined {
  return fleet.listRunners(accountId, { endedSinceMs: 0 }).find((runner) => runner.runnerId === runnerId);
}

/**
 * Lines of a runner, newest first. A known runner that has not printed anything has no lines, which is no error.
 * @throws `runner_not_found`
 */
export async function readLog(
  deps: { runnerLogs: Pick<RunnerLogs, 'read'>; fleet: Pick<Fleet, 'listRunners'> },
  accountId: string,
  runnerId: string,
  range: LogRange,
): Promise<LogLine[]> {
  try {
    return await deps.runnerLogs.read(accountId, runnerId, range);
  } catch (error) {
    const isSilent = isLannerError(error) && error.code === 'runner_not_found';
    if (isSilent && findRunner(deps.fleet, accountId, runnerId) !== undefined) return [];
    throw error;
  }
}
