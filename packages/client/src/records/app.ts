import { timestampDate } from '@bufbuild/protobuf/wkt';
import { ApplicationAuthMode, type AliasInfo, type ApplicationInfo } from '@lanner/protocol/controller';
import { nameOf, type Unknown } from './known-or-number.ts';

/**
 * Who may call an app: its owner, anybody, or anybody with an account.
 *
 * @example
 * ```ts
 * const auth: AuthMode = 'shared';
 * ```
 */
export type AuthMode = 'private' | 'public' | 'shared';

/**
 * Scale and time settings, in seconds and counts.
 *
 * @example
 * ```ts
 * const scale: ScaleInfo = await client.apps.scale('my-app', { keepAlive: 300 });
 * console.log(scale.maxConcurrency, scale.machineTypes);
 * ```
 */
export interface ScaleInfo {
  keepAlive: number;
  maxConcurrency: number;
  maxMultiplexing: number;
  minConcurrency: number;
  concurrencyBuffer: number;
  concurrencyBufferPerc: number;
  scalingDelay: number;
  machineTypes: string[];
  requestTimeout: number;
  startupTimeout: number;
  /** Longest wait in the queue for requests of the owner; `null` = no limit set. */
  requestStartTimeout: number | null;
  /** Regions it may run in; empty = any. */
  validRegions: string[];
  /** Runners there are now. */
  activeRunners: number;
  /** Deployment environment. */
  environmentName: string;
}

/**
 * A deployed app: a name that points to a revision.
 *
 * @example
 * ```ts
 * const apps: AppInfo[] = await client.apps.list();
 * console.log(apps.filter(({ isRolling }) => isRolling).length);
 * ```
 */
export interface AppInfo extends ScaleInfo {
  /** Its name, with `--<environment>` outside main, without owner. */
  alias: string;
  revision: string;
  authMode: AuthMode | Unknown;
  /** True while a new revision is being rolled out. */
  isRolling: boolean;
}

/**
 * One immutable deploy of an app.
 *
 * @example
 * ```ts
 * const revisions: RevisionInfo[] = await client.apps.revisions('my-app');
 * console.log(revisions[0]?.createdAt);
 * ```
 */
export interface RevisionInfo extends ScaleInfo {
  /** The revision; what `setRevision` and `deleteRevision` take. */
  applicationId: string;
  createdAt: Date | null;
}

const authModes: Readonly<Record<number, AuthMode>> = {
  [ApplicationAuthMode.PRIVATE]: 'private',
  [ApplicationAuthMode.PUBLIC]: 'public',
  [ApplicationAuthMode.SHARED]: 'shared',
};

/**
 * The wire number of an auth mode.
 * @internal
 */
export function authModeNumber(mode: AuthMode): ApplicationAuthMode {
  return {
    private: ApplicationAuthMode.PRIVATE,
    public: ApplicationAuthMode.PUBLIC,
    shared: ApplicationAuthMode.SHARED,
  }[mode];
}

/** @internal */
export function toAppInfo(alias: AliasInfo): AppInfo {
  return {
    alias: alias.alias,
    revision: alias.revision,
    authMode: nameOf(authModes, alias.authMode),
    isRolling: alias.isRolling,
    ...toScaleInfo(alias),
  };
}

/** @internal */
export function toRevisionInfo(application: ApplicationInfo): RevisionInfo {
  return {
    applicationId: application.applicationId,
    createdAt: application.createdAt ? timestampDate(application.createdAt) : null,
    ...toScaleInfo(application),
  };
}

function toScaleInfo(from: AliasInfo | ApplicationInfo): ScaleInfo {
  return {
    keepAlive: from.keepAlive,
    maxConcurrency: from.maxConcurrency,
    maxMultiplexing: from.maxMultiplexing,
    minConcurrency: from.minConcurrency,
    concurrencyBuffer: from.concurrencyBuffer ?? 0,
    concurrencyBufferPerc: from.concurrencyBufferPerc ?? 0,
    scalingDelay: from.scalingDelaySeconds ?? 0,
    machineTypes: [...from.machineTypes],
    requestTimeout: from.requestTimeout ?? 0,
    startupTimeout: from.startupTimeout ?? 0,
    requestStartTimeout: from.requestStartTimeout ?? null,
    validRegions: [...from.validRegions],
    activeRunners: from.activeRunners,
    environmentName: from.environmentName || 'main',
  };
}
