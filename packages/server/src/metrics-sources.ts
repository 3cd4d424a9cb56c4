import type { RequestQueue } from './gateway/queue/request-queue.ts';
import type { MetricsSources } from './observe/metrics/platform-metrics.ts';
import type { Fleet } from './scheduler/fleet.ts';
import type { Store } from './store.ts';

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
