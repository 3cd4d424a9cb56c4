import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import type { Log } from '@lanner/protocol/common';
import { IsolateController, type ServiceURLs } from '@lanner/protocol/controller';
import { ConfigurationError, type ClientError } from '../errors/client-error.ts';
import type { Settings } from '../resolve/settings.ts';
import type { GrpcConnection } from '../transport/grpc-connection.ts';
import type { HttpClient } from '../transport/http-client.ts';
import { checkProjectApp, resolveReference, type AppReference, type ResolvedReference } from './app-reference.ts';
import { fromLoaderError } from './loader-error.ts';
import { checkDeployOptions } from './check-deploy-options.ts';
import type { DeployOptions, DeployPhase, Deployment, LoadOptions, RunReferenceOptions } from './deploy-types.ts';
import { findPython } from './find-python.ts';
import { toLoadedPlan, toPackagingProgress } from './loaded-plan.ts';
import { toProgressLog } from './progress-log.ts';
import { LoaderCallError, runLoader, type LoaderRequest } from './python-loader.ts';
import { FileUploader, type AppFile } from './upload-files.ts';

const phases: Readonly<Record<string, DeployPhase>> = {
  BuildEnvironment: 'building',
  RegisterApplication: 'deploying',
  Run: 'running',
};

/** Deploys and runs apps: Python loads and pickles them, everything that goes over the network goes from here. */
export class Deployer {
  readonly #settings: Settings;
  readonly #rpc: GrpcConnection;
  readonly #uploader: FileUploader;

  constructor(settings: Settings, rpc: GrpcConnection, http: HttpClient) {
    this.#settings = settings;
    this.#rpc = rpc;
    this.#uploader = new FileUploader(settings, http);
  }

  async deploy(reference: AppReference | undefined, options: DeployOptions): Promise<Deployment> {
    const resolved = resolveReference(reference, options.cwd ?? process.cwd());
    checkDeployOptions(options, resolved.kind === 'project');
    const value = await this.#load(resolved, options, {
      action: 'deploy',
      options: compact({
        app_name: options.appName,
        auth: options.auth,
        strategy: options.strategy ?? 'rolling',
        reset_scale: options.resetScale ?? false,
        attach_to_deployment: options.attach,
        force_env_build: options.forceEnvBuild ?? false,
        message: options.message,
        annotations: options.annotations,
      }),
    });
    return value as Deployment;
  }

  async run<Result>(reference: AppReference, options: RunReferenceOptions): Promise<Result> {
    if (reference === '') throw new ConfigurationError('invalid_reference', 'What to run has to be named.');
    const resolved = resolveReference(reference, options.cwd ?? process.cwd());
    const value = await this.#load(resolved, options, {
      action: 'run',
      auth: options.auth ?? 'public',
      args: options.args ?? [],
      kwargs: options.kwargs ?? {},
      options: compact({
        // The official call refuses a name for an app of pyproject.toml, although `fal run` takes one: it is set afterwards.
        app_name: resolved.kind === 'file' ? options.appName : undefined,
        force_env_build: options.forceEnvBuild ?? false,
      }),
      ...compact({
        appName: options.appName,
        machineType: options.machineType,
        limitMaxRequests: options.limitMaxRequests,
        forwardCompat: options.forwardCompat,
        local: options.local,
        exposed_port: options.exposedPort,
        exposed_metrics_port: options.exposedMetricsPort,
      }),
    });
    return (value as { value: Result }).value;
  }

  async #load(resolved: ResolvedReference, options: LoadOptions, request: LoaderRequest): Promise<unknown> {
    const cwd = options.cwd ?? process.cwd();
    if (resolved.kind === 'project') checkProjectApp(resolved.name, cwd);
    const tell = options.onProgress ?? (() => undefined);
    const timeout = options.timeoutMs === undefined ? undefined : AbortSignal.timeout(options.timeoutMs);
    const signals = [options.signal, timeout].filter((signal) => signal !== undefined);
    const signal = signals.length > 0 ? AbortSignal.any(signals) : undefined;
    let phase: DeployPhase = 'loading';
    let rpcError: ClientError | undefined;
    const enter = (next: DeployPhase): void => {
      if (next !== phase) tell({ type: 'phase', phase: next });
      phase = next;
    };

    // A wrong key or host is told before Python is started.
    if (request['local'] !== true) await this.#settings.signing();
    const environment = request['local'] === true ? this.#settings.environment : this.#pythonEnvironment();
    tell({ type: 'phase', phase });
    const python = await findPython(cwd, this.#settings.environment, options.python, {
      tell: (text) => tell({ type: 'output', text }),
      signal,
    });
    const outcome = await runLoader(
      python,
      {
        ...request,
        host: this.#rpc.target,
        team: this.#teamOfLogin(request['local'] === true),
        ref: resolved.kind === 'file' ? [resolved.path, resolved.name ?? null] : resolved.name,
        environmentName: options.environmentName,
      },
      { cwd, environment, signal },
      {
        call: (path, payload, stop) => {
          const method = path.split('/').at(-1) ?? '';
          enter(phases[method] ?? phase);
          return this.#forward(
            method,
            payload,
            stop,
            (part) => {
              for (const log of part.logs ?? []) tell({ type: 'log', phase, log: toProgressLog(log) });
              if (part.serviceUrls) {
                const { playground, run, queue, ws, log } = part.serviceUrls;
                tell({ type: 'urls', urls: { playground, run, queue, ws, log } });
              }
            },
            (error) => (rpcError = error),
          );
        },
        upload: (files) => {
          enter('uploading');
          return this.#uploader.upload(files as AppFile[], signal, (uploadedBytes, totalBytes, count) =>
            tell({ type: 'upload', uploadedBytes, totalBytes, files: count }),
          );
        },
        tell: (header) => {
          if (header.type === 'ready')
            tell({ type: 'python', from: python.from, python: String(header['python']), fal: String(header['fal']) });
          if (header.type === 'packaging') tell(toPackagingProgress(header));
          if (header.type === 'endpoints') tell({ type: 'endpoints', endpoints: header['endpoints'] as string[] });
        },
        loaded: async (header) => {
          const plan = toLoadedPlan(header);
          tell({ type: 'loaded', appName: plan.appName, objectName: plan.objectName });
          await options.onLoaded?.(plan);
        },
        print: (text) => tell({ type: 'output', text }),
      },
    );
    if (outcome.ok) return outcome.value;
    if (outcome.error['rpc'] === true && rpcError) throw rpcError;
    throw fromLoaderError(outcome.error, { file: resolved.kind === 'file' ? resolved.path : resolved.name, phase });
  }

  /** One call of Python's, over our connection. Messages go through as they are, unknown fields included. */
  async *#forward(
    name: string,
    payload: Uint8Array,
    signal: AbortSignal,
    look: (part: { logs?: Log[]; serviceUrls?: ServiceURLs | undefined }) => void,
    onError: (error: ClientError) => void,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const method = IsolateController.methods.find((candidate) => candidate.name === name);
    if (method === undefined)
      throw new LoaderCallError(Code.Unimplemented, `This client does not know the call ${name}.`);
    const request = fromBinary(method.input, payload);
    try {
      const answers = this.#rpc.stream({ signal }, (controller, rpc) => {
        const call = controller[method.localName as 'run'] as unknown as (
          message: unknown,
          options: typeof rpc,
        ) => AsyncIterable<unknown> | Promise<unknown>;
        return each(call(request, rpc));
      });
      for await (const answer of answers) {
        look(answer as { logs?: Log[]; serviceUrls?: ServiceURLs });
        yield toBinary(method.output, answer as never);
      }
    } catch (error) {
      if (!signal.aborted) onError(error as ClientError);
      const cause = ConnectError.from((error as ClientError).cause ?? error);
      throw new LoaderCallError(cause.code, (error as ClientError).message);
    }
  }

  /** A key belongs to one account, so only a login acts for a team. */
  #teamOfLogin(isLocal: boolean): string | undefined {
    return !isLocal && this.#settings.credentials().kind === 'login' ? this.#settings.team() : undefined;
  }

  /** The variables Python finds: the same platform and credentials as ours, whatever they were found by. */
  #pythonEnvironment(): Record<string, string | undefined> {
    const hosts = this.#settings.hosts();
    const credentials = this.#settings.credentials();
    const hostOf = (url: string): string => url.slice(url.indexOf('://') + 3);
    return {
      ...this.#settings.environment,
      FAL_GRPC_HOST: hosts.grpc,
      FAL_REST_HOST: hostOf(hosts.accountUrl),
      FAL_RUN_HOST: hostOf(hosts.runUrl),
      FAL_QUEUE_RUN_HOST: hostOf(hosts.queueUrl),
      ...(credentials.kind === 'key'
        ? { FAL_KEY: `${credentials.keyId}:${credentials.keySecret}`, FAL_FORCE_AUTH_BY_USER: undefined }
        : {}),
      PYTHONUNBUFFERED: '1',
    };
  }
}

async function* each(answers: AsyncIterable<unknown> | Promise<unknown>): AsyncGenerator<unknown, void, undefined> {
  if (answers instanceof Promise) yield await answers;
  else yield* answers as AsyncIterable<unknown>;
}

/** Without what was not given: Python's own defaults apply. */
function compact(options: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
