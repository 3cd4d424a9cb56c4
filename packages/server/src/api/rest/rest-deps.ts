import type { Clock } from '@lanner/protocol';
import type { Apps } from '../../apps/apps.ts';
import type { MachineTypes } from '../../apps/machine-types.ts';
import type { AppTokens } from '../../auth/app-tokens.ts';
import type { Accounts } from '../../auth/accounts.ts';
import type { Authenticator } from '../../auth/principal.ts';
import type { AppFiles } from '../../blobs/app-files.ts';
import type { Files } from '../../files/create-files.ts';
import type { RunnerLogs } from '../../observe/runner-logs.ts';
import type { Fleet } from '../../scheduler/fleet.ts';
import type { RemovedFile } from '../../files/remove-outputs.ts';
import type { DeliveryStore } from '../../webhooks/delivery-store.ts';
import type { SigningKeys } from '../../webhooks/signing-keys.ts';
import type { Workflows } from '../../workflows/workflows.ts';
import type { ApiLog } from '../api-log.ts';

/** What is asked of the queue from outside calls. */
export interface QueueAdministration {
  /** Waiting requests of an app, all told and by caller. */
  count(aliasId: string): { size: number; byCaller: Record<string, number> };
  /** Cancels waiting requests, of all callers or one; resolves with how many. */
  flush(aliasId: string, callerAccountId: string | null): Promise<number>;
}

/** Everything the REST routes translate to. */
export interface RestDeps {
  authenticator: Pick<Authenticator, 'authenticate'>;
  accounts: Pick<Accounts, 'get'>;
  appTokens: Pick<AppTokens, 'create'>;
  appFiles: Omit<AppFiles, 'modeOf'>;
  apps: Pick<Apps, 'getAlias' | 'getRevision'>;
  fleet: Pick<Fleet, 'listRunners' | 'findRunner'>;
  runnerLogs: Pick<RunnerLogs, 'read'>;
  machineTypes: Pick<MachineTypes, 'get'>;
  queue: QueueAdministration;
  workflows: Workflows;
  files: Pick<Files, 'storage' | 'volume' | 'unpack' | 'fetchUrl'>;
  /** See gateway/queue/erase-payloads.ts. */
  erasePayloads(accountId: string, requestId: string): Promise<RemovedFile[] | null>;
  deliveries: Pick<DeliveryStore, 'list' | 'find' | 'listAttempts' | 'replay'>;
  webhookKeys: Pick<SigningKeys, 'published' | 'list' | 'rotate'>;
  /** Told of a webhook that is due. */
  webhooks: { added(url: string): void };
  metrics: { render(): Promise<string> };
  /** The first account: what concerns the whole platform is for it alone. */
  operatorAccountId: string;
  clock: Pick<Clock, 'nowMs' | 'monotonicMs' | 'sleep'>;
  log: ApiLog;
  /** False while the server stops. */
  isServing: () => boolean;
}
