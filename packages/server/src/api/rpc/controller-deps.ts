import type { Clock } from '@lanner/protocol';
import type { Apps } from '../../apps/apps.ts';
import type { MachineTypes } from '../../apps/machine-types.ts';
import type { Environments, Secrets } from '../../apps/environments-and-secrets.ts';
import type { Accounts } from '../../auth/accounts.ts';
import type { Keys } from '../../auth/keys.ts';
import type { Authenticator } from '../../auth/principal.ts';
import type { AppFiles } from '../../blobs/app-files.ts';
import type { Blobs } from '../../blobs/blobs.ts';
import type { RunnerDriver } from '../../runners/runner-driver.ts';
import type { Fleet } from '../../scheduler/fleet.ts';
import type { ApiLog } from '../api-log.ts';

/** Everything the controller translates to. */
export interface ControllerDeps {
  authenticator: Pick<Authenticator, 'authenticate'>;
  accounts: Pick<Accounts, 'get'>;
  keys: Pick<Keys, 'create' | 'list' | 'revoke'>;
  /** `valuesForRunner` serves builds, whose requirements may mention secrets. */
  secrets: Pick<Secrets, 'set' | 'unset' | 'list' | 'valuesForRunner'>;
  environments: Pick<Environments, 'list' | 'create' | 'delete' | 'assertExists'>;
  apps: Omit<Apps, 'resolve' | 'all'>;
  machineTypes: MachineTypes;
  blobs: Pick<Blobs, 'put' | 'putContent' | 'delete'>;
  /** Which of these app files the account has not uploaded. */
  appFiles: Pick<AppFiles, 'missing'>;
  fleet: Fleet;
  driver: Pick<RunnerDriver, 'build' | 'openSession'>;
  clock: Pick<Clock, 'nowMs' | 'monotonicMs' | 'sleep'>;
  log: ApiLog;
  /** Aborted when the server begins to stop: runs end then, everything else may finish. Default: never. */
  endOfRuns?: AbortSignal;
  /** False while the server stops: health checks then answer NOT_SERVING. */
  isServing: () => boolean;
}
