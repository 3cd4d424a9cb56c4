import { isLannerError } from '@lanner/protocol';
import type { RunnerLogs } from '../../observe/runner-logs.ts';
import type { LiveRequest } from '../../queue/live-request.ts';
import { toStatusLog, type StatusLog } from './status-body.ts';

/** The latest of them, where there are more. */
const maxLines = 5_000;

/**
 * What the app printed for a request on its last runner: the lines that carry its id (scheduler/line-owner.ts).
 * @param sinceMs no older lines; default the first line on.
 */
export async function readRequestLogs(
  runnerLogs: Pick<RunnerLogs, 'read'>,
  request: Pick<LiveRequest, 'requestId' | 'accountId' | 'runnerId' | 'submittedAtMs'>,
  sinceMs: number = request.submittedAtMs,
): Promise<StatusLog[]> {
  const { requestId, accountId, runnerId } = request;
  if (runnerId === null) return [];
  try {
    const lines = await runnerLogs.read(accountId, runnerId, { sinceMs, requestId, limit: maxLines });
    return lines
      .filter((line) => line.source === 'user')
      .toReversed()
      .map(toStatusLog);
  } catch (error) {
    // Nothing was printed yet, or it was removed since.
    if (isLannerError(error) && error.code === 'runner_not_found') return [];
    throw error;
  }
}
