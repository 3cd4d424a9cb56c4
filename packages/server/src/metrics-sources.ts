import type { RequestQueue } from './gateway/queue/request-queue.ts';
import type { MetricsSources } from './observe/metrics/platform-metrics.ts';
import type { Fleet } from './scheduler/fleet.ts';
import type { Store } from './store.ts';

/** Whether an `owner/app` or `workflows/owner/name` is there to stay; a run of a command is not. From memory. */
export function isDeployed(store: Pick<Store, 'apps' | 'workflows'>, appId: string): boolean {
  const slash = appId.lastIndexOf('/');
  const [owner, name] = [appId.slice(0, slash), appId.slice(slash + 1)];
  if (!owner.startsWith('workflows/')) return store.apps.resolve(owner, name) !== null;
  return store.workflows.find(owner.slice('workflows/'.length), 'workflow', name) !== null;
}

/** Where the metrics of a server are read from when somebody reads them. */
export function createMetricsSources(parts: {
  queue: Pick<RequestQueue, 'overview'>;
  fleet: Pick<Fleet, 'listRunners'>;
  store: Pick<Store, 'accounts' | 'deliveries'>;
}): MetricsSources {
  const { queue, fleet, store } = parts;
  return {
    queue: () => queue.overview(),
    webhooks: () => store.deliveries.backlog(),
    async runners() {
      const accounts = await store.accounts.list();
      return accounts.flatMap(({ accountId, nickname }) =>
        fleet.listRunners(accountId, {}).map(({ aliasName, state }) => ({ appId: `${nickname}/${aliasName}`, state })),
      );
    },
  };
}
