import type { Clock } from '@lanner/protocol';
import type { Blobs } from '../../blobs/blobs.ts';
import type { Logger } from '../../observe/logger.ts';
import type { RequestStore } from '../../queue/request-store.ts';
import type { AppRetryRules } from '../../queue/retry-policy.ts';
import type { RunnerDriver } from '../../runners/runner-driver.ts';
import type { Dispatcher, SlotReclaimer, Targets } from '../../scheduler/dispatcher.ts';
import type { UpstreamTransport } from '../upstream-transport.ts';

/** What the queue works with. */
export interface RequestQueueDeps {
  store: RequestStore;
  blobs: Blobs;
  dispatcher: Dispatcher & SlotReclaimer;
  targets: Targets;
  driver: RunnerDriver;
  transport: UpstreamTransport;
  /** Of the app's active revision. */
  retryRules: (appId: string) => AppRetryRules;
  clock: Clock;
  log: Logger;
  /** Results are kept this long. */
  retentionMs: number;
}
