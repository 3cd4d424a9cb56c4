import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { LannerError } from '@lanner/protocol';
import {
  AliasInfoSchema,
  ApplicationAuthMode,
  ApplicationInfoSchema,
  DeploymentStrategy,
  type AliasInfo,
  type ApplicationInfo,
} from '@lanner/protocol/controller';
import type { Alias, AuthMode, Revision, ScaleSettings } from '../../apps/app-types.ts';

const authModes = {
  private: ApplicationAuthMode.PRIVATE,
  public: ApplicationAuthMode.PUBLIC,
  shared: ApplicationAuthMode.SHARED,
} as const satisfies Record<AuthMode, ApplicationAuthMode>;

/**
 * An auth mode as it was sent; undefined stays undefined.
 * @throws `invalid_argument` for an unknown number.
 */
export function parseAuthMode(sent: number | undefined): AuthMode | undefined {
  if (sent === undefined) return undefined;
  for (const [name, number] of Object.entries(authModes)) if (number === sent) return name as AuthMode;
  throw new LannerError(
    'invalid_argument',
    `The auth mode number ${sent} is unknown; known are 0 (private), 1 (public) and 2 (shared).`,
  );
}

/**
 * Whether a deploy or a move waits for a runner of the new revision; undefined when nothing was sent.
 * @throws `invalid_argument` for an unknown number.
 */
export function parseIsRolling(sent: number | undefined): boolean | undefined {
  switch (sent) {
    case undefined:
      return undefined;
    case DeploymentStrategy.RECREATE:
      return false;
    case DeploymentStrategy.ROLLING:
      return true;
    default:
      throw new LannerError(
        'invalid_argument',
        `The deployment strategy number ${sent} is unknown; known are 0 (recreate) and 1 (rolling).`,
      );
  }
}

/** The settings that AliasInfo and ApplicationInfo share, under their names there. */
function settingsFields(settings: ScaleSettings): {
  maxConcurrency: number;
  maxMultiplexing: number;
  keepAlive: number;
  minConcurrency: number;
  machineTypes: string[];
  requestTimeout: number;
  startupTimeout: number;
  validRegions: string[];
  concurrencyBuffer: number;
  concurrencyBufferPerc: number;
  scalingDelaySeconds: number;
  requestStartTimeout?: number;
} {
  return {
    maxConcurrency: settings.maxConcurrency,
    maxMultiplexing: settings.maxMultiplexing,
    keepAlive: settings.keepAliveSeconds,
    minConcurrency: settings.minConcurrency,
    machineTypes: settings.machineTypes,
    requestTimeout: settings.requestTimeoutSeconds,
    startupTimeout: settings.startupTimeoutSeconds,
    validRegions: settings.validRegions,
    concurrencyBuffer: settings.concurrencyBuffer,
    concurrencyBufferPerc: settings.concurrencyBufferPerc,
    scalingDelaySeconds: settings.scalingDelaySeconds,
    // Unset, not 0: clients show an unset one as "none".
    ...(settings.requestStartTimeoutSeconds === null
      ? {}
      : { requestStartTimeout: settings.requestStartTimeoutSeconds }),
  };
}

/** An alias as listings show it. */
export function toAliasInfo(alias: Alias, live: { activeRunners: number; isRolling: boolean }): AliasInfo {
  return create(AliasInfoSchema, {
    alias: alias.aliasName,
    revision: alias.revisionId,
    authMode: authModes[alias.authMode],
    activeRunners: live.activeRunners,
    isRolling: live.isRolling,
    environmentName: alias.environmentName,
    ...settingsFields(alias.settings),
  });
}

/** A revision as listings show it. */
export function toApplicationInfo(revision: Revision, activeRunners: number): ApplicationInfo {
  return create(ApplicationInfoSchema, {
    applicationId: revision.revisionId,
    activeRunners,
    createdAt: timestampFromMs(revision.createdAtMs),
    environmentName: revision.environmentName,
    ...settingsFields(revision.settings),
  });
}
