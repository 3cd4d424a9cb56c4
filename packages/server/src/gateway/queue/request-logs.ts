import { isLannerError } from '@lanner/protocol';
import type { RunnerLogs } from '../../observe/runner-logs.ts';
import { toStatusLog, type StatusLog } from './status-body.ts';

/** A line may come a little later than the answer it was printed before. */
const slackMs = 100;
const maxLines = 1_000;

/**
 * What the app printed while it had a request, from the first line on. Lines are told apart by runner and time: with
 * several requests on a runner at once, each has the lines of all.
 */
export async function readRequestLogs(
  runnerLogs: Pick<RunnerLogs, 'read'>,
  request: { accountId: string; runnerId: string | null; startedAtMs: number | null },
  endedAtMs: number | null,
): Promise<StatusLog[]> {
  const { accountId, runnerId, startedAtMs } = request;
  if (runnerId === null || startedAtMs === null) return [];
  const range = {
    sinceMs: startedAtMs,
    ...(endedAtMs === null ? {} : { untilMs: endedAtMs + slackMs }),
    limit: maxLines,
  };
  try {
    const lines = await runnerLogs.read(accountId, runnerId, range);
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
