import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { DeploymentStrategy } from '@lanner/protocol/controller';
import { ServerError } from '../errors/client-error.ts';
import {
  authModeNumber,
  toAppInfo,
  toRevisionInfo,
  type AppInfo,
  type AuthMode,
  type RevisionInfo,
} from '../records/app.ts';
import { toGpuCounts, type GpuCounts } from '../records/gpu-counts.ts';
import { isInStates, toRunnerInfo, type RunnerInfo, type RunnerState } from '../records/runner.ts';
import type { CallOptions, EnvironmentCallOptions } from '../transport/call-options.ts';
import type { GrpcConnection } from '../transport/grpc-connection.ts';
import { Listing } from '../transport/listing.ts';
import { environmentField, fullAlias } from './alias.ts';
import type { MetricsReader } from './metrics.ts';

/**
 * How a change of revision reaches the runners.
 *
 * @example
 * ```ts
 * const strategy: DeploymentStrategyName = 'rolling';
 * ```
 */
export type DeploymentStrategyName = 'recreate' | 'rolling';

/**
 * Which apps to list.
 *
 * @example
 * ```ts
 * const options: AppsListOptions = { filter: 'stable', environmentName: 'staging' };
 * ```
 */
export interface AppsListOptions extends EnvironmentCallOptions {
  /** Only apps whose full name contains this text. */
  filter?: string | undefined;
}

/**
 * Which runners of an app to list.
 *
 * @example
 * ```ts
 * const options: AppsRunnersOptions = { since: new Date(Date.now() - 600_000), state: ['IDLE', 'TERMINATED'] };
 * ```
 */
export interface AppsRunnersOptions extends EnvironmentCallOptions {
  /** Also runners that ended after this time (at most a day ago). */
  since?: Date | undefined;
  /** Only runners in these states. */
  state?: readonly RunnerState[] | undefined;
}

/**
 * Seconds and counts. What is left out stays as it is; lists replace the old ones and cannot be emptied.
 *
 * @example
 * ```ts
 * const options: AppsScaleOptions = { keepAlive: 300, maxConcurrency: 10, machineTypes: ['GPU-H100'] };
 * ```
 */
export interface AppsScaleOptions extends EnvironmentCallOptions {
  /** Idle seconds after which a runner ends. */
  keepAlive?: number | undefined;
  /** Requests a runner works on at once. Lasts until the next deploy. */
  maxMultiplexing?: number | undefined;
  /** Most runners. */
  maxConcurrency?: number | undefined;
  /** Runners that are always there. */
  minConcurrency?: number | undefined;
  /** Runners beyond what the load needs. */
  concurrencyBuffer?: number | undefined;
  /** The same in percent of what the load needs. */
  concurrencyBufferPerc?: number | undefined;
  /** Seconds a request waits before it counts as demand. */
  scalingDelay?: number | undefined;
  /** Longest single request in seconds. */
  requestTimeout?: number | undefined;
  /** Longest wait in the queue in seconds for requests of the owner; 0 removes the limit. */
  requestStartTimeout?: number | undefined;
  /** Longest start of a runner in seconds. Lasts until the next deploy. */
  startupTimeout?: number | undefined;
  /** Machine types in order of preference. Last until the next deploy. */
  machineTypes?: readonly string[] | undefined;
  /** Regions it may run in. */
  regions?: readonly string[] | undefined;
}

/**
 * How to replace runners.
 *
 * @example
 * ```ts
 * const options: AppsRolloutOptions = { force: true };
 * ```
 */
export interface AppsRolloutOptions extends EnvironmentCallOptions {
  /** End the runners at once instead of letting them finish. Default `false`. */
  force?: boolean | undefined;
}

/**
 * How an app moves to another revision.
 *
 * @example
 * ```ts
 * const options: AppsSetRevisionOptions = { auth: 'shared', strategy: 'rolling' };
 * ```
 */
export interface AppsSetRevisionOptions extends EnvironmentCallOptions {
  /** Default: as it is. */
  auth?: AuthMode | undefined;
  /** Default: no special handling of the runners. */
  strategy?: DeploymentStrategyName | undefined;
}

/**
 * Deployed apps: `fal apps …`.
 *
 * @example
 * ```ts
 * import { ServerlessClient } from '@lanner/client';
 *
 * await using client = new ServerlessClient();
 * for await (const app of client.apps.list({ filter: 'stable' })) console.log(app.alias, app.activeRunners);
 * await client.apps.scale('my-app', { keepAlive: 300, maxConcurrency: 10 });
 * ```
 */
export class AppsNamespace {
  readonly #rpc: GrpcConnection;
  readonly #metrics: MetricsReader;

  /** @internal */
  constructor(rpc: GrpcConnection, metrics: MetricsReader) {
    this.#rpc = rpc;
    this.#metrics = metrics;
  }

  /**
   * The apps of an environment, in the server's order.
   *
   * @example
   * ```ts
   * const apps = await client.apps.list({ filter: 'stable' });
   * console.log(apps.length);
   * for await (const app of client.apps.list()) console.log(app.alias, app.activeRunners);
   * ```
   */
  list(options: AppsListOptions = {}): Listing<AppInfo> {
    return new Listing(async () => {
      const answer = await this.#rpc.read(options, (controller, rpc) =>
        controller.listAliases(environmentField(options.environmentName), rpc),
      );
      const apps = answer.aliases.map(toAppInfo);
      return options.filter === undefined ? apps : apps.filter((app) => app.alias.includes(options.filter!));
    });
  }

  /**
   * The runners of an app, those that wait for a machine too.
   *
   * @example
   * ```ts
   * for (const runner of await client.apps.runners('my-app')) console.log(runner.runnerId, runner.state);
   * ```
   */
  runners(appName: string, options: AppsRunnersOptions = {}): Listing<RunnerInfo> {
    const alias = fullAlias(appName, options.environmentName);
    return new Listing(async () => {
      const answer = await this.#rpc.read(options, (controller, rpc) =>
        controller.listAliasRunners(
          {
            alias,
            listPending: true,
            ...(options.since ? { startTime: timestampFromDate(options.since) } : {}),
            ...environmentField(options.environmentName),
          },
          rpc,
        ),
      );
      return answer.runners.map(toRunnerInfo).filter((runner) => isInStates(runner, options.state));
    });
  }

  /**
   * Changes scale settings and returns all of them.
   *
   * @example
   * ```ts
   * const app = await client.apps.scale('my-app', { keepAlive: 300, maxConcurrency: 10 });
   * console.log(app.keepAlive);
   * ```
   */
  async scale(appName: string, options: AppsScaleOptions): Promise<AppInfo> {
    const { signal, timeoutMs, environmentName, machineTypes, regions, scalingDelay, ...numbers } = options;
    const given = Object.fromEntries(Object.entries(numbers).filter(([, value]) => value !== undefined));
    const answer = await this.#rpc.change({ signal, timeoutMs }, (controller, rpc) =>
      controller.updateApplication(
        {
          ...given,
          applicationName: fullAlias(appName, environmentName),
          ...(scalingDelay === undefined ? {} : { scalingDelaySeconds: scalingDelay }),
          ...(machineTypes === undefined ? {} : { machineTypes: [...machineTypes] }),
          ...(regions === undefined ? {} : { validRegions: [...regions] }),
          ...environmentField(environmentName),
        },
        rpc,
      ),
    );
    return toAppInfo(required(answer.aliasInfo, 'the changed app'));
  }

  /**
   * Replaces all runners by new ones of the same revision.
   *
   * @example
   * ```ts
   * await client.apps.rollout('my-app', { force: false });
   * ```
   */
  async rollout(appName: string, options: AppsRolloutOptions = {}): Promise<void> {
    await this.#rpc.change(options, (controller, rpc) =>
      controller.rolloutApplication(
        {
          applicationName: fullAlias(appName, options.environmentName),
          force: options.force ?? false,
          ...environmentField(options.environmentName),
        },
        rpc,
      ),
    );
  }

  /**
   * GPUs that an app uses now.
   *
   * @example
   * ```ts
   * const { gpus, total } = await client.apps.gpus('my-app');
   * console.log(gpus['H100'] ?? 0, total);
   * ```
   */
  async gpus(appName: string, options: CallOptions = {}): Promise<GpuCounts> {
    return toGpuCounts(await this.#metrics.gpusOfApp(appName, options));
  }

  /**
   * Revisions of an app, or of all apps when no name is given.
   *
   * @example
   * ```ts
   * for (const revision of await client.apps.revisions('my-app')) console.log(revision.applicationId, revision.createdAt);
   * ```
   */
  revisions(appName?: string, options: EnvironmentCallOptions = {}): Listing<RevisionInfo> {
    return new Listing(async () => {
      const answer = await this.#rpc.read(options, (controller, rpc) =>
        controller.listApplications(
          {
            ...(appName === undefined ? {} : { applicationName: fullAlias(appName, options.environmentName) }),
            ...environmentField(options.environmentName),
          },
          rpc,
        ),
      );
      return answer.applications.map(toRevisionInfo);
    });
  }

  /**
   * Points an app to another of its revisions.
   *
   * @example
   * ```ts
   * const [, previous] = await client.apps.revisions('my-app');
   * if (previous) await client.apps.setRevision('my-app', previous.applicationId, { strategy: 'rolling' });
   * ```
   */
  async setRevision(appName: string, revision: string, options: AppsSetRevisionOptions = {}): Promise<AppInfo> {
    const answer = await this.#rpc.change(options, (controller, rpc) =>
      controller.setAlias(
        {
          alias: fullAlias(appName, options.environmentName),
          revision,
          ...(options.auth === undefined ? {} : { authMode: authModeNumber(options.auth) }),
          ...(options.strategy === undefined ? {} : { deploymentStrategy: strategyNumber(options.strategy) }),
          ...environmentField(options.environmentName),
        },
        rpc,
      ),
    );
    return toAppInfo(required(answer.aliasInfo, 'the changed app'));
  }

  /**
   * Takes the app away from callers and ends its runners. Returns the revision it pointed to, `null` when there was no such app.
   *
   * @example
   * ```ts
   * const revision = await client.apps.delete('my-app');
   * console.log(revision ?? 'there was no such app');
   * ```
   */
  async delete(appName: string, options: EnvironmentCallOptions = {}): Promise<string | null> {
    try {
      const answer = await this.#rpc.change(options, (controller, rpc) =>
        controller.deleteAlias(
          { alias: fullAlias(appName, options.environmentName), ...environmentField(options.environmentName) },
          rpc,
        ),
      );
      return answer.revision;
    } catch (error) {
      if (error instanceof ServerError && error.code === 'not_found') return null;
      throw error;
    }
  }

  /**
   * Deletes a revision.
   *
   * @example
   * ```ts
   * await client.apps.deleteRevision('1f0c1f5e-6a4d-4b7a-9d55-3d3f4f0c8a11');
   * ```
   */
  async deleteRevision(revision: string, options: CallOptions = {}): Promise<void> {
    await this.#rpc.change(options, (controller, rpc) =>
      controller.deleteApplication({ applicationId: revision }, rpc),
    );
  }
}

/** The wire number of a strategy. */
function strategyNumber(strategy: DeploymentStrategyName): DeploymentStrategy {
  return strategy === 'rolling' ? DeploymentStrategy.ROLLING : DeploymentStrategy.RECREATE;
}

/** A part of an answer without which it makes no sense. */
export function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new ServerError('unexpected_answer', `The server did not send ${what}.`);
  return value;
}
