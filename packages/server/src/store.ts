import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '@lanner/protocol';
import type { Apps } from './apps/apps.ts';
import { createApps } from './apps/create-apps.ts';
import { createEnvironments } from './apps/create-environments.ts';
import { createSecrets } from './apps/create-secrets.ts';
import type { Environments, Secrets } from './apps/environments-and-secrets.ts';
import { createMachineTypes, type MachineType, type MachineTypes } from './apps/machine-types.ts';
import { openSecretBox } from './apps/open-secret-box.ts';
import { createSqliteAppStore } from './apps/sqlite-app-store.ts';
import { createSqliteEnvironmentStore } from './apps/sqlite-environment-store.ts';
import { createSqliteSealedValues } from './apps/sqlite-sealed-values.ts';
import { createSqliteSecretStore } from './apps/sqlite-secret-store.ts';
import type { Accounts } from './auth/accounts.ts';
import type { AppTokens } from './auth/app-tokens.ts';
import { createAccounts } from './auth/create-accounts.ts';
import { createAppTokens } from './auth/create-app-tokens.ts';
import { createAuthenticator } from './auth/create-authenticator.ts';
import { createKeys } from './auth/create-keys.ts';
import type { KeyStore } from './auth/key-store.ts';
import type { Keys } from './auth/keys.ts';
import type { Authenticator } from './auth/principal.ts';
import { createSqliteAccountStore } from './auth/sqlite-account-store.ts';
import { createSqliteKeyStore } from './auth/sqlite-key-store.ts';
import type { AppFiles } from './blobs/app-files.ts';
import { createBlobSweep, type BlobSweep } from './blobs/blob-sweep.ts';
import type { Blobs } from './blobs/blobs.ts';
import { createAppFiles } from './blobs/create-app-files.ts';
import { openDiskBlobs } from './blobs/disk-blobs.ts';
import { createSqliteAppFileStore } from './blobs/sqlite-app-file-store.ts';
import { createSqliteBlobReferences } from './blobs/sqlite-blob-references.ts';
import { createUploadSessions } from './blobs/upload-sessions.ts';
import { openDatabase } from './db/database.ts';
import type { KeyValueStore } from './files/key-value-store.ts';
import type { ObjectStore } from './files/object-store.ts';
import { createSqliteKeyValueStore } from './files/sqlite-key-value-store.ts';
import { createSqliteObjectStore } from './files/sqlite-object-store.ts';
import type { ChangeFeed } from './lib/change-feed.ts';
import type { PayloadStore } from './queue/payload-store.ts';
import type { RequestStore } from './queue/request-store.ts';
import { createSqlitePayloadStore } from './queue/sqlite-payload-store.ts';
import { createSqliteRequestStore } from './queue/sqlite-request-store.ts';
import type { RunnerStore } from './runners/runner-store.ts';
import { createSqliteRunnerStore } from './runners/sqlite-runner-store.ts';
import type { DeliveryStore } from './webhooks/delivery-store.ts';
import { openSigningKeys, type SigningKeys } from './webhooks/signing-keys.ts';
import { createSqliteDeliveryStore } from './webhooks/sqlite-delivery-store.ts';
import { createSqliteWebhookKeyStore } from './webhooks/sqlite-webhook-key-store.ts';
import { createSqliteWorkflowStore } from './workflows/sqlite-workflow-store.ts';
import { createWorkflows, type Workflows } from './workflows/workflows.ts';

const mebibyte = 1024 * 1024;

/** Bounds of app-file uploads (rest-api 2.4): the client sends parts of 10 MiB, a file has 1 GiB at most. */
const uploadLimits = {
  partSizeBytes: 11 * mebibyte,
  totalSizeBytes: 1024 * mebibyte,
  openPerOwner: 256,
  lifetimeMs: 24 * 60 * 60 * 1000,
};

export interface StoreOptions {
  /** SQLite file; made when missing, its folder too. */
  databasePath: string;
  /** File of the key that encrypts secrets; made at first start, 0600. */
  secretsKeyPath: string;
  /** Signs short-lived tokens, 32 bytes or more; left out, a random one: tokens then end with this process. */
  tokensKey?: Uint8Array;
  /** Folder of blobs, which the supervisor reads. */
  blobsDir: string;
  clock: Clock;
  changeFeed: ChangeFeed;
  /** The part of a pino logger that is used. */
  log: { info(facts: object, message: string): void; error(facts: object, message: string): void };
  /** Machine types of this installation beside the published ones. */
  extraMachineTypes?: readonly MachineType[];
}

/** Everything durable of one server. */
export interface Store {
  accounts: Accounts;
  keys: Keys;
  /** Keys by their id, without a check of the secret: for tokens that name one. */
  keyStore: Pick<KeyStore, 'findWithOwner'>;
  authenticator: Authenticator;
  appTokens: AppTokens;
  apps: Apps;
  environments: Environments;
  secrets: Secrets;
  machineTypes: MachineTypes;
  blobs: Blobs;
  appFiles: AppFiles;
  /** Started by whoever serves, ended by `close`. */
  blobSweep: BlobSweep;
  objects: ObjectStore;
  keyValues: KeyValueStore;
  requests: RequestStore;
  payloads: PayloadStore;
  deliveries: DeliveryStore;
  webhookKeys: SigningKeys;
  workflows: Workflows;
  runnerStore: RunnerStore;
  /** Commits what is under way and closes the files. Idempotent. */
  close(): Promise<void>;
}

/**
 * Opens the database, blobs and secrets key of one server, on the SQLite engine, and wires the domains over them.
 * @throws LannerError `schema_too_new`, `schema_changed`, `config_invalid` (secrets key).
 */
export async function createStore(options: StoreOptions): Promise<Store> {
  const { clock, changeFeed, log } = options;
  await mkdir(dirname(options.databasePath), { recursive: true, mode: 0o700 });
  const database = openDatabase({ path: options.databasePath, clock });
  try {
    const secretStore = createSqliteSecretStore(database);
    const box = await openSecretBox(options.secretsKeyPath, createSqliteSealedValues(database));
    const blobs = await openDiskBlobs(options.blobsDir, clock);
    const sessions = createUploadSessions({ folder: join(options.blobsDir, 'uploads'), clock, limits: uploadLimits });
    const appFileStore = createSqliteAppFileStore(database);
    const blobSweep = createBlobSweep({
      ...{ blobs, sessions, clock, log, appFiles: appFileStore },
      references: createSqliteBlobReferences(database),
    });

    const keyStore = createSqliteKeyStore(database);
    const machineTypes = createMachineTypes(options.extraMachineTypes);
    const authenticator = createAuthenticator({ store: keyStore, changeFeed });
    const apps = await createApps({
      store: createSqliteAppStore(database),
      changeFeed,
      clock,
      machineTypes,
      onReloadError: (error) => log.error({ err: error }, 'an app that changed elsewhere could not be read'),
    });
    return {
      accounts: createAccounts({ store: createSqliteAccountStore(database), clock }),
      keys: createKeys({ store: keyStore, clock, changeFeed }),
      keyStore,
      authenticator,
      appTokens: createAppTokens({ signingKey: options.tokensKey ?? randomBytes(32), store: keyStore, clock }),
      apps,
      environments: createEnvironments({ store: createSqliteEnvironmentStore(database), clock, changeFeed }),
      secrets: createSecrets({ store: secretStore, box, clock, changeFeed }),
      machineTypes,
      blobs,
      appFiles: createAppFiles({
        store: appFileStore,
        blobs,
        sessions,
        clock,
        totalSizeBytes: uploadLimits.totalSizeBytes,
      }),
      objects: createSqliteObjectStore(database),
      keyValues: createSqliteKeyValueStore(database),
      requests: createSqliteRequestStore(database),
      payloads: createSqlitePayloadStore(database),
      deliveries: createSqliteDeliveryStore(database),
      webhookKeys: await openSigningKeys({ store: createSqliteWebhookKeyStore(database), box, clock, log }),
      workflows: await createWorkflows({ store: createSqliteWorkflowStore(database), clock }),
      runnerStore: createSqliteRunnerStore(database),
      blobSweep,
      async close() {
        await blobSweep.stop();
        authenticator.close();
        apps.close();
        await database.close();
      },
    };
  } catch (error) {
    await database.close();
    throw error;
  }
}
