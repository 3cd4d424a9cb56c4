import { AppCalls } from './calls/app-calls.ts';
import { CallingClient } from './calls/calling-client.ts';
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
export class ServerlessClient extends CallingClient {
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
  readonly #deployer: () => Promise<Deployer>;

  constructor(options: ServerlessClientOptions = {}) {
    const environment = options.environment ?? processEnvironment();
    const transport = options.fetch ? createFetchTransport(options.fetch) : createNodeTransport(environment);
    const settings = createSettings(options, environment, createLoginRenewal(transport));
    const teamUserId = createTeamLookup(settings, () => http);
    const http = new HttpClient(settings, teamUserId, transport);
    const storage = new StorageNamespace(settings, http, openFile);
    super(new AppCalls(settings, http, storage));
    this.#http = http;
    this.#rpc = new GrpcConnection(settings, teamUserId);
    this.storage = storage;
    this.files = new FilesNamespace(settings, http);
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
