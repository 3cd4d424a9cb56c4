import { AppCalls } from './calls/app-calls.ts';
import { CallingClient } from './calls/calling-client.ts';
import { ConfigurationError } from './errors/client-error.ts';
import { AccountsNamespace } from './namespaces/accounts.ts';
import { MetricsReader } from './namespaces/metrics.ts';
import { QueueNamespace } from './namespaces/queue.ts';
import { RunnerLogs, type FollowLogsOptions, type LogEntry, type LogsOptions } from './namespaces/runner-logs.ts';
import { toGpuCounts, type GpuCounts } from './records/gpu-counts.ts';
import { createGlobalSockets } from './realtime/global-sockets.ts';
import { RealtimeNamespace } from './realtime/realtime.ts';
import { StorageNamespace } from './files/storage.ts';
import type { Environment } from './resolve/environment.ts';
import { createGivenSettings } from './resolve/given-settings.ts';
import type { CallOptions } from './transport/call-options.ts';
import { HttpClient } from './transport/http-client.ts';
import { createFetchTransport, type Fetch } from './transport/http-transport.ts';
import type { Listing } from './transport/listing.ts';

/**
 * Where and as whom, for pages and edge runtimes: nothing is looked up elsewhere.
 *
 * @example
 * ```ts
 * const options: BrowserClientOptions = { host: 'localhost:8443', apiKey: 'key-id:key-secret' };
 * ```
 */
export interface BrowserClientOptions {
  /** `name[:port]` of the platform. Default: `LANNER_HOST`, `FAL_GRPC_HOST` … of `environment`, else the hosted platform. */
  host?: string | undefined;
  /** `<key id>:<key secret>`. Whoever can read the page can read it: public pages let a server sign, see `fetch`. */
  apiKey?: string | undefined;
  /** Variables to resolve hosts and key from, e.g. the bindings of an edge runtime. Default: none. */
  environment?: Environment | undefined;
  /** Sends everything, e.g. to a server of yours that adds the key, so that none is needed here. Default: the runtime's own `fetch`. */
  fetch?: Fetch | undefined;
}

/**
 * What runners tell over plain HTTP.
 *
 * @example
 * ```ts
 * const runners: BrowserRunners = client.runners;
 * for (const line of await runners.logs('runner-id', { last: 20 })) console.log(line.message);
 * ```
 */
export interface BrowserRunners {
  /**
   * GPUs in use by all runners of the account.
   *
   * @example
   * ```ts
   * console.log((await client.runners.gpus()).total);
   * ```
   */
  gpus(options?: CallOptions): Promise<GpuCounts>;
  /**
   * What a runner wrote, oldest first.
   *
   * @example
   * ```ts
   * for (const line of await client.runners.logs('runner-id', { last: 20 })) console.log(line.message);
   * ```
   */
  logs(runnerId: string, options?: LogsOptions): Listing<LogEntry>;
  /**
   * What a runner writes from now on, until it ends or the loop is left.
   *
   * @example
   * ```ts
   * for await (const line of client.runners.followLogs('runner-id')) console.log(line.message);
   * ```
   */
  followLogs(runnerId: string, options?: FollowLogsOptions): AsyncGenerator<LogEntry, void, undefined>;
}

/**
 * The part of the client that needs nothing but `fetch`: calls of apps, and what the platform tells over REST. What needs
 * the controller (`apps`, `keys`, `deploy` …) is in the client for Node and Bun.
 *
 * @example
 * ```ts
 * import { ServerlessClient } from '@lanner/client/browser';
 *
 * const client = new ServerlessClient({ host: 'localhost:8443', apiKey: 'key-id:key-secret' });
 * const { data } = await client.run<{ message: string }>('me/my-app', { input: { name: 'Ada' } });
 * console.log(data.message);
 * ```
 */
export class ServerlessClient extends CallingClient {
  readonly accounts: AccountsNamespace;
  readonly queue: QueueNamespace;
  readonly runners: BrowserRunners;
  readonly realtime: RealtimeNamespace;
  readonly storage: StorageNamespace;
  readonly #http: HttpClient;

  constructor(options: BrowserClientOptions = {}) {
    const isSignedElsewhere = options.fetch !== undefined;
    const settings = createGivenSettings({ ...options, isSignedElsewhere }, options.environment ?? {});
    // Called on the global object: a browser's fetch refuses any other.
    const fetch: Fetch = options.fetch ?? ((url, init) => globalThis.fetch(url, init as RequestInit));
    const http = new HttpClient(settings, () => Promise.resolve(undefined), createFetchTransport(fetch));
    const storage = new StorageNamespace(settings, http);
    super(new AppCalls(settings, http, storage));
    this.#http = http;
    this.storage = storage;
    const logs = new RunnerLogs(settings, this.#http);
    const metrics = new MetricsReader(settings, this.#http);
    this.accounts = new AccountsNamespace(settings, this.#http);
    this.queue = new QueueNamespace(settings, this.#http, this.accounts);
    this.realtime = new RealtimeNamespace(
      settings,
      this.#http,
      () => Promise.resolve(undefined),
      createGlobalSockets(),
    );
    this.runners = {
      gpus: async (call = {}) => toGpuCounts(await metrics.gpusOfAccount(call)),
      logs: (runnerId, call = {}) => logs.read(runnerId, call),
      followLogs: (runnerId, call = {}) => logs.follow(runnerId, call),
    };
    refuseMissing(this);
  }

  /**
   * A closed client cannot be used again.
   *
   * @example
   * ```ts
   * try {
   *   await client.accounts.current();
   * } finally {
   *   client.close();
   * }
   * ```
   */
  close(): void {
    this.realtime.close();
    this.#http.close();
  }

  /**
   * Closes it at the end of an `await using` block.
   *
   * @example
   * ```ts
   * await using client = new ServerlessClient();
   * await client.accounts.current();
   * ```
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}

/** A bundler may have led a program for Node here: it is told by name what is missing, not by `undefined`. */
function refuseMissing(client: ServerlessClient): void {
  for (const name of ['apps', 'files', 'keys', 'secrets', 'environments', 'deploy', 'runReference']) {
    Object.defineProperty(client, name, {
      get: () => {
        throw new ConfigurationError('not_supported_here', `client.${name} works in Node and Bun, not in a browser.`, {
          advice: 'Use it on a server; pages can call apps and read logs.',
        });
      },
    });
  }
}
