import { AppCalls } from './calls/app-calls.ts';
import type {
  CallResult,
  InvokeOptions,
  QueuedRequest,
  RunOptions,
  StatusOptions,
  SubmitOptions,
  SubscribeOptions,
} from './calls/call-types.ts';
import type { RequestStatus } from './calls/request-state.ts';
import type { AppReference } from './deploy/app-reference.ts';
import type { DeployOptions, Deployment, RunReferenceOptions } from './deploy/deploy-types.ts';
import type { Deployer } from './deploy/deployer.ts';
import { AccountsNamespace } from './namespaces/accounts.ts';
import { AppsNamespace } from './namespaces/apps.ts';
import { EnvironmentsNamespace } from './namespaces/environments.ts';
import { KeysNamespace } from './namespaces/keys.ts';
import { MetricsReader } from './namespaces/metrics.ts';
import { QueueNamespace } from './namespaces/queue.ts';
import { RunnerLogs } from './namespaces/runner-logs.ts';
import { RunnersNamespace } from './namespaces/runners.ts';
import { SecretsNamespace } from './namespaces/secrets.ts';
import { WebhooksNamespace } from './namespaces/webhooks.ts';
import { createNodeSockets } from './realtime/node-sockets.ts';
import { RealtimeNamespace } from './realtime/realtime.ts';
import { FilesNamespace } from './files/files.ts';
import { openFile } from './files/open-file.ts';
import { StorageNamespace } from './files/storage.ts';
import type { Environment } from './resolve/environment.ts';
import { processEnvironment } from './resolve/process-environment.ts';
import { createLoginRenewal } from './resolve/renew-login.ts';
import { createSettings } from './resolve/settings.ts';
import { createTeamLookup } from './resolve/team.ts';
import type { CallOptions } from './transport/call-options.ts';
import { GrpcConnection } from './transport/grpc-connection.ts';
import { HttpClient } from './transport/http-client.ts';
import { createFetchTransport, type Fetch } from './transport/http-transport.ts';
import { createNodeTransport } from './transport/node-transport.ts';

/**
 * Where and as whom. Everything left out is found when it is first needed.
 *
 * @example
 * ```ts
 * const options: ServerlessClientOptions = { host: 'localhost:8443', apiKey: 'key-id:key-secret' };
 * ```
 */
export interface ServerlessClientOptions {
  /** gRPC host, `name[:port]`. Default: `LANNER_GRPC_HOST`, `LANNER_HOST`, `FAL_GRPC_HOST`, `FAL_HOST`, the profile, the hosted platform. */
  host?: string | undefined;
  /** `<key id>:<key secret>`. Default: `LANNER_KEY`, `FAL_KEY`, the profile, `FAL_KEY_ID` + `FAL_KEY_SECRET`, the login. */
  apiKey?: string | undefined;
  /** Profile of `~/.fal/config.toml` to take the key from. */
  profile?: string | undefined;
  /** Account to act for with a login. A key belongs to one account, so it has no effect there. */
  team?: string | undefined;
  /** Instead of the variables of the process. */
  environment?: Environment | undefined;
  /** Instead of Node's own HTTP for REST and calls of apps; certificates are then its business. */
  fetch?: Fetch | undefined;
}

/**
 * A client of Lanner or fal Serverless. Making one reads nothing and opens nothing; all calls share one HTTP/2 connection
 * for the controller, which does not keep a program running.
 *
 * @example
 * ```ts
 * import { ServerlessClient } from '@lanner/client';
 *
 * await using client = new ServerlessClient();
 * const deployment = await client.deploy('app.py::MyApp', { auth: 'public' });
 * console.log(deployment.urls.sync['/']);
 * ```
 */
export class ServerlessClient {
  readonly apps: AppsNamespace;
  readonly runners: RunnersNamespace;
  readonly keys: KeysNamespace;
  readonly secrets: SecretsNamespace;
  readonly environments: EnvironmentsNamespace;
  readonly queue: QueueNamespace;
  readonly webhooks: WebhooksNamespace;
  readonly realtime: RealtimeNamespace;
  readonly storage: StorageNamespace;
  readonly files: FilesNamespace;
  readonly accounts: AccountsNamespace;
  readonly #rpc: GrpcConnection;
  readonly #http: HttpClient;
  readonly #calls: AppCalls;
  readonly #deployer: () => Promise<Deployer>;

  constructor(options: ServerlessClientOptions = {}) {
    const environment = options.environment ?? processEnvironment();
    const transport = options.fetch ? createFetchTransport(options.fetch) : createNodeTransport(environment);
    const settings = createSettings(options, environment, createLoginRenewal(transport));
    const teamUserId = createTeamLookup(settings, () => this.#http);
    this.#rpc = new GrpcConnection(settings, teamUserId);
    this.#http = new HttpClient(settings, teamUserId, transport);
    this.storage = new StorageNamespace(settings, this.#http, openFile);
    this.files = new FilesNamespace(settings, this.#http);
    this.#calls = new AppCalls(settings, this.#http, this.storage);
    // Most programs deploy nothing: what that needs is loaded with the first deploy.
    this.#deployer = async () => {
      const { Deployer: Loaded } = await import('./deploy/deployer.ts');
      return new Loaded(settings, this.#rpc, this.#http);
    };
    const metrics = new MetricsReader(settings, this.#http);
    this.apps = new AppsNamespace(this.#rpc, metrics);
    this.runners = new RunnersNamespace(this.#rpc, metrics, new RunnerLogs(settings, this.#http));
    this.keys = new KeysNamespace(this.#rpc);
    this.secrets = new SecretsNamespace(this.#rpc);
    this.environments = new EnvironmentsNamespace(this.#rpc);
    this.accounts = new AccountsNamespace(settings, this.#http);
    this.queue = new QueueNamespace(settings, this.#http, this.accounts);
    this.webhooks = new WebhooksNamespace(settings, this.#http);
    const sockets = createNodeSockets(settings.environment);
    this.realtime = new RealtimeNamespace(settings, this.#http, teamUserId, sockets);
  }

  /**
   * Deploys an app: `file.py`, `file.py::Class`, `[file, name]`, the name of an app in pyproject.toml, or nothing for the
   * only app of the project.
   * @throws DeployError when it cannot be loaded, built, uploaded or started; its code says which.
   *
   * @example
   * ```ts
   * const deployment = await client.deploy('app.py::MyApp', { appName: 'my-app', auth: 'private', strategy: 'rolling' });
   * console.log(deployment.revision);
   * ```
   */
  async deploy(reference?: AppReference, options: DeployOptions = {}): Promise<Deployment> {
    return (await this.#deployer()).deploy(reference, options);
  }

  /**
   * Runs a function of a file on the platform and returns its result, or serves an app until `signal` fires. Nothing stays.
   * The URLs and logs come through `onProgress`.
   *
   * @example
   * ```ts
   * const sum = await client.runReference<number>('functions.py::add', { args: [40], kwargs: { b: 2 } });
   * console.log(sum);
   * ```
   */
  async runReference<Result = unknown>(reference: AppReference, options: RunReferenceOptions = {}): Promise<Result> {
    return (await this.#deployer()).run<Result>(reference, options);
  }

  /**
   * Calls an app and waits for its answer. Never repeated.
   *
   * @example
   * ```ts
   * const { data } = await client.run<{ message: string }>('me/my-app', { input: { name: 'Ada' } });
   * console.log(data.message);
   * ```
   */
  run<Output = unknown, Input = unknown>(appId: string, options: RunOptions<Input> = {}): Promise<CallResult<Output>> {
    return this.#calls.run<Output, Input>(appId, options);
  }

  /**
   * Calls a streaming endpoint (default `/stream`) and yields its events as they come.
   *
   * @example
   * ```ts
   * for await (const event of client.stream<{ n: number }>('me/my-app', { path: '/count', input: {} })) {
   *   console.log(event.n);
   * }
   * ```
   */
  stream<Event = unknown, Input = unknown>(
    appId: string,
    options: InvokeOptions<Input> = {},
  ): AsyncGenerator<Event, void, undefined> {
    return this.#calls.stream<Event, Input>(appId, options);
  }

  /**
   * Puts a request into the queue.
   *
   * @example
   * ```ts
   * const request = await client.submit<{ message: string }>('me/my-app', { input: { name: 'Ada' } });
   * console.log(request.requestId, (await request.status()).status);
   * ```
   */
  submit<Output = unknown, Input = unknown>(
    appId: string,
    options: SubmitOptions<Input> = {},
  ): Promise<QueuedRequest<Output>> {
    return this.#calls.submit<Output, Input>(appId, options);
  }

  /**
   * Puts a request into the queue and waits for its result. A signal or timeout cancels the request.
   *
   * @example
   * ```ts
   * const { data } = await client.subscribe<{ message: string }>('me/my-app', {
   *   input: { name: 'Ada' },
   *   logs: true,
   *   onStatus: ({ status }) => console.log(status),
   * });
   * console.log(data.message);
   * ```
   */
  subscribe<Output = unknown, Input = unknown>(
    appId: string,
    options: SubscribeOptions<Input> = {},
  ): Promise<CallResult<Output>> {
    return this.#calls.subscribe<Output, Input>(appId, options);
  }

  /**
   * Where a queued request stands.
   *
   * @example
   * ```ts
   * const status = await client.status('me/my-app', 'request-id', { logs: true });
   * if (status.status === 'IN_QUEUE') console.log(status.queuePosition);
   * ```
   */
  status(appId: string, requestId: string, options: StatusOptions = {}): Promise<RequestStatus> {
    return this.#calls.status(appId, requestId, options);
  }

  /**
   * The result of a completed request.
   *
   * @example
   * ```ts
   * const { data } = await client.result<{ message: string }>('me/my-app', 'request-id');
   * console.log(data.message);
   * ```
   */
  result<Output = unknown>(appId: string, requestId: string, options: CallOptions = {}): Promise<CallResult<Output>> {
    return this.#calls.result<Output>(appId, requestId, options);
  }

  /**
   * Cancels a queued request.
   *
   * @example
   * ```ts
   * await client.cancel('me/my-app', 'request-id');
   * ```
   */
  cancel(appId: string, requestId: string, options: CallOptions = {}): Promise<void> {
    return this.#calls.cancel(appId, requestId, options);
  }

  /**
   * Closes the connections; calls under way fail. A closed client cannot be used again.
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
    this.#rpc.close();
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
