import type { Clock } from '@lanner/protocol';
import type { Blobs } from '../../blobs/blobs.ts';
import type { Logger } from '../../observe/logger.ts';
import type { PlatformMetrics } from '../../observe/metrics/platform-metrics.ts';
import type { PayloadStore } from '../../queue/payload-store.ts';
import type { LiveRequest } from '../../queue/live-request.ts';
import type { RequestStore } from '../../queue/request-store.ts';
import type { AppRetryRules } from '../../queue/retry-policy.ts';
import type { RunnerDriver } from '../../runners/runner-driver.ts';
import type { Dispatcher, SlotReclaimer, Targets } from '../../scheduler/dispatcher.ts';
import type { DeliveryStore } from '../../webhooks/delivery-store.ts';
import type { UpstreamTransport } from '../upstream/upstream-transport.ts';
import type { Retention } from './sweep-results.ts';

/** What the queue works with. */
export interface RequestQueueDeps {
  store: RequestStore;
  payloads: PayloadStore;
  deliveries: Pick<DeliveryStore, 'sweep'>;
  blobs: Blobs;
  dispatcher: Dispatcher & SlotReclaimer;
  targets: Targets;
  driver: RunnerDriver;
  transport: UpstreamTransport;
  /** Of the app's active revision. */
  retryRules: (appId: string) => AppRetryRules;
  clock: Clock;
  log: Logger;
  retention: Retention;
  /** Counts what happens. */
  observer?: Pick<PlatformMetrics, 'queueWait' | 'attempt' | 'requestEnded'>;
  /** Told once the end of a request is durable, its webhook in the outbox with it. */
  onEnded?: (request: LiveRequest) => void;
}
