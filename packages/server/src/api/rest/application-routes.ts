import { LannerError } from '@lanner/protocol';
import type { RestDeps } from './rest-deps.ts';
import type { RestRoute } from './rest-route.ts';

interface AppMetrics {
  runner_count: number;
  gpu_count: number;
  gpu_count_by_type: Record<string, number>;
  cpu_count: number;
  cpu_count_by_type: Record<string, number>;
}

/** What is running, counted by machine type; and the metadata of a deployed app. */
export function createApplicationRoutes(deps: Pick<RestDeps, 'apps' | 'fleet' | 'machineTypes'>): RestRoute[] {
  return [
    {
      method: 'GET',
      path: '/applications/metrics',
      handle(context) {
        const { accountId, nickname } = context.var.principal;
        const apps: Record<string, AppMetrics> = {};
        const totals: Record<string, number> = {};
        for (const { aliasName, machineType } of deps.fleet.listRunners(accountId, {})) {
          const app = (apps[`${nickname}/${aliasName}`] ??= emptyMetrics());
          app.runner_count += 1;
          if (deps.machineTypes.get(machineType)?.gpu) {
            app.gpu_count += 1;
            app.gpu_count_by_type[machineType] = (app.gpu_count_by_type[machineType] ?? 0) + 1;
            totals[machineType] = (totals[machineType] ?? 0) + 1;
          } else {
            app.cpu_count += 1;
            app.cpu_count_by_type[machineType] = (app.cpu_count_by_type[machineType] ?? 0) + 1;
          }
        }
        return context.json({ apps, summary: { total_gpu_by_type: totals } });
      },
    },
    {
      method: 'GET',
      path: '/applications/:owner/:app/metadata',
      access: 'serverless:apps:read',
      async handle(context) {
        const { accountId, nickname } = context.var.principal;
        const owner = context.req.param('owner') ?? '';
        const app = context.req.param('app') ?? '';
        const alias = owner === nickname ? await deps.apps.getAlias(accountId, app) : null;
        const revision = owner === nickname ? await deps.apps.getRevision(accountId, alias?.revisionId ?? app) : null;
        if (revision === null) {
          throw new LannerError(
            'app_not_found',
            `The app "${owner.slice(0, 100)}/${app.slice(0, 150)}" was not found.`,
          );
        }
        return context.json(revision.metadata ?? {});
      },
    },
  ];
}

function emptyMetrics(): AppMetrics {
  return { runner_count: 0, gpu_count: 0, gpu_count_by_type: {}, cpu_count: 0, cpu_count_by_type: {} };
}
