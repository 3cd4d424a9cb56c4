import { isLannerError } from '@lanner/protocol';
import type { RunnerLogs } from '../../observe/runner-logs.ts';
import type { Fleet, LogLine } from '../../scheduler/fleet.ts';

export type LogRange = Parameters<RunnerLogs['read']>[2];

/**
 * Lines of a runner, newest first. A known runner that has not printed anything has no lines, which is no error.
 * @throws `runner_not_found`
 */
export async function readLog(
  deps: { runnerLogs: Pick<RunnerLogs, 'read'>; fleet: Pick<Fleet, 'findRunner'> },
  accountId: string,
  runnerId: string,
  range: LogRange,
): Promise<LogLine[]> {
  try {
    return await deps.runnerLogs.read(accountId, runnerId, range);
  } catch (error) {
    const isSilent = isLannerError(error) && error.code === 'runner_not_found';
    if (isSilent && (await deps.fleet.findRunner(accountId, runnerId)) !== null) return [];
    throw error;
  }
}
