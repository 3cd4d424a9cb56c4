import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { toGpuCounts, type GpuCounts } from '../records/gpu-counts.ts';
import { isInStates, toRunnerInfo, type RunnerInfo, type RunnerState } from '../records/runner.ts';
import type { CallOptions } from '../transport/call-options.ts';
import type { GrpcConnection } from '../transport/grpc-connection.ts';
import { Listing } from '../transport/listing.ts';
import type { MetricsReader } from './metrics.ts';
import type { FollowLogsOptions, LogEntry, LogsOptions, RunnerLogs } from './runner-logs.ts';
import { runSession, type RunnerSessionOptions } from './runner-session.ts';

/**
 * Which runners to list.
 *
 * @example
 * ```ts
 * const options: RunnersListOptions = { state: ['IDLE', 'RUNNING'] };
 * ```
 */
export interface RunnersListOptions extends CallOptions {
  /** Also runners that ended after this time (at most a day ago). */
  since?: Date | undefined;
  /** Only runners in these states. */
  state?: readonly RunnerState[] | undefined;
}

/**
 * How to stop a runner.
 *
 * @example
 * ```ts
 * const options: RunnersStopOptions = { replaceFirst: true };
 * ```
 */
export interface RunnersStopOptions extends CallOptions {
  /** Start a substitute before the runner stops. Default `false`. */
  replaceFirst?: boolean | undefined;
}

/**
 * The runners of an account: `fal runners …`.
 *
 * @example
 * ```ts
 * import { ServerlessClient } from '@lanner/client';
 *
 * await using client = new ServerlessClient();
 * for (const runner of await client.runners.list({ state: ['IDLE'] })) {
 *   await client.runners.stop(runner.runnerId);
 * }
 * ```
 */
export class RunnersNamespace {
  readonly #rpc: GrpcConnection;
  readonly #metrics: MetricsReader;
  readonly #logs: RunnerLogs;

  /** @internal */
  constructor(rpc: GrpcConnection, metrics: MetricsReader, logs: RunnerLogs) {
    this.#rpc = rpc;
    this.#metrics = metrics;
    this.#logs = logs;
  }

  /**
   * All runners, those that wait for a machine too.
   *
   * @example
   * ```ts
   * for (const runner of await client.runners.list()) console.log(runner.alias, runner.state, runner.uptime);
   * ```
   */
  list(options: RunnersListOptions = {}): Listing<RunnerInfo> {
    return new Listing(async () => {
      const answer = await this.#rpc.read(options, (controller, rpc) =>
        controller.listRunners(
          { listPending: true, ...(options.since ? { startTime: timestampFromDate(options.since) } : {}) },
          rpc,
        ),
      );
      return answer.runners.map(toRunnerInfo).filter((runner) => isInStates(runner, options.state));
    });
  }

  /**
   * Lets a runner finish what it has and ends it.
   *
   * @example
   * ```ts
   * await client.runners.stop('runner-id', { replaceFirst: true });
   * ```
   */
  async stop(runnerId: string, options: RunnersStopOptions = {}): Promise<void> {
    await this.#rpc.change(options, (controller, rpc) =>
      controller.stopRunner({ runnerId, ...(options.replaceFirst ? { replaceFirst: true } : {}) }, rpc),
    );
  }

  /**
   * Ends a runner at once; its requests fail or are tried elsewhere.
   *
   * @example
   * ```ts
   * await client.runners.kill('runner-id');
   * ```
   */
  async kill(runnerId: string, options: CallOptions = {}): Promise<void> {
    await this.#rpc.change(options, (controller, rpc) => controller.killRunner({ runnerId }, rpc));
  }

  /**
   * GPUs in use by all runners of the account.
   *
   * @example
   * ```ts
   * console.log((await client.runners.gpus()).total);
   * ```
   */
  async gpus(options: CallOptions = {}): Promise<GpuCounts> {
    return toGpuCounts(await this.#metrics.gpusOfAccount(options));
  }

  /**
   * What a runner wrote, oldest first.
   *
   * @example
   * ```ts
   * for (const line of await client.runners.logs('runner-id', { last: 20 })) console.log(line.message);
   * ```
   */
  logs(runnerId: string, options: LogsOptions = {}): Listing<LogEntry> {
    return this.#logs.read(runnerId, options);
  }

  /**
   * What a runner writes from now on (and since a minute ago), until it ends or the loop is left.
   *
   * @example
   * ```ts
   * for await (const line of client.runners.followLogs('runner-id')) console.log(line.message);
   * ```
   */
  followLogs(runnerId: string, options: FollowLogsOptions = {}): AsyncGenerator<LogEntry, void, undefined> {
    return this.#logs.follow(runnerId, options);
  }

  /**
   * Runs a command inside a runner and resolves with its exit code.
   * @throws ServerError `not_supported_by_server` where runners cannot be entered
   *
   * @example
   * ```ts
   * const code = await client.runners.exec('runner-id', ['python', '--version'], {
   *   onOutput: (data) => console.log(new TextDecoder().decode(data)),
   * });
   * console.log(code);
   * ```
   */
  exec(runnerId: string, command: readonly string[], options: RunnerSessionOptions = {}): Promise<number> {
    return runSession(this.#rpc, runnerId, command, options);
  }

  /**
   * Opens a login shell inside a runner, under a terminal; resolves with its exit code.
   *
   * @example
   * ```ts
   * async function* input() {
   *   yield new TextEncoder().encode('ls\nexit\n');
   * }
   * await client.runners.shell('runner-id', { input: input() });
   * ```
   */
  shell(runnerId: string, options: RunnerSessionOptions = {}): Promise<number> {
    return runSession(this.#rpc, runnerId, undefined, options);
  }
}
