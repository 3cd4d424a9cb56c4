import { LannerError } from '@lanner/protocol';
import type { RestDeps } from './rest-deps.ts';
import type { RestRoute } from './rest-route.ts';
import { toTimestamp } from './timestamps.ts';

/** What `fal runners logs` asks first: when a runner lived. */
export function createRunnerRoutes(deps: Pick<RestDeps, 'fleet'>): RestRoute[] {
  return [
    {
      method: 'GET',
      path: '/runners/:runnerId',
      access: 'serverless:runners:read',
      async handle(context) {
        const runnerId = context.req.param('runnerId') ?? '';
        const runner = await deps.fleet.findRunner(context.var.principal.accountId, runnerId);
        if (runner === null) {
          throw new LannerError('runner_not_found', `Runner "${runnerId.slice(0, 200)}" not found in this account.`);
        }
        return context.json({
          runner_id: runner.runnerId,
          alias: runner.aliasName,
          revision: runner.revisionId,
          state: runner.state,
          machine_type: runner.machineType,
          started_at: toTimestamp(runner.startedAtMs),
          ended_at: runner.endedAtMs === null ? null : toTimestamp(runner.endedAtMs),
          start_reason: runner.startReason,
          end_reason: runner.endReason,
        });
      },
    },
  ];
}
