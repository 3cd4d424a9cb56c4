import type { DeploymentStrategyName } from '../namespaces/apps.ts';
import type { AuthMode } from '../records/app.ts';
import type { CallOptions } from '../transport/call-options.ts';

/**
 * Where a deploy or run is.
 *
 * @example
 * ```ts
 * const phases: DeployPhase[] = ['loading', 'uploading', 'building', 'deploying', 'running'];
 * ```
 */
export type DeployPhase = 'loading' | 'uploading' | 'building' | 'deploying' | 'running';

/**
 * A line of the build, of a starting runner or of a running function.
 *
 * @example
 * ```ts
 * const show = (log: ProgressLog): void => console.log(log.source, log.level, log.message);
 * await client.deploy('app.py', { onProgress: (progress) => progress.type === 'log' && show(progress.log) });
 * ```
 */
export interface ProgressLog {
  message: string;
  /** `trace`, `debug`, `info`, `warning`, `error`, `stdout` or `stderr`. */
  level: string;
  /** Who wrote it: the builder, the runtime, or the app itself. */
  source: 'builder' | 'bridge' | 'user' | 'unknown';
  timestamp: Date;
}

/**
 * Where an app can be reached.
 *
 * @example
 * ```ts
 * const show = (urls: ServiceUrls): void => console.log(urls.run, urls.queue);
 * await client.deploy('app.py', { onProgress: (progress) => progress.type === 'urls' && show(progress.urls) });
 * ```
 */
export interface ServiceUrls {
  playground: string;
  run: string;
  queue: string;
  ws: string;
  log: string;
}

/**
 * What happens during a deploy or run, in order. Unknown types are to be ignored.
 *
 * @example
 * ```ts
 * const show = (progress: DeployProgress): void => {
 *   if (progress.type === 'phase') console.log(progress.phase);
 *   if (progress.type === 'upload') console.log(`${progress.uploadedBytes} of ${progress.totalBytes} bytes`);
 * };
 * await client.deploy('app.py', { onProgress: show });
 * ```
 */
export type DeployProgress =
  | { type: 'phase'; phase: DeployPhase }
  /** The Python that loads the app. */
  | { type: 'python'; from: string; python: string; fal: string }
  | { type: 'loaded'; appName: string | null; objectName: string | null }
  | { type: 'upload'; uploadedBytes: number; totalBytes: number; files: number }
  | { type: 'log'; phase: DeployPhase; log: ProgressLog }
  /** What the app file printed while it was loaded. */
  | { type: 'output'; text: string }
  /** A local project that the app's requirements name is packed and uploaded. */
  | {
      type: 'packaging';
      event: 'build_started' | 'build_finished' | 'upload_started' | 'upload_finished';
      packageName: string | null;
      fileName: string | null;
      bytes: number | null;
    }
  /** Paths of the app that is run. */
  | { type: 'endpoints'; endpoints: string[] }
  | { type: 'urls'; urls: ServiceUrls };

/**
 * What the code and the project say, before anything is sent.
 *
 * @example
 * ```ts
 * const ask = (plan: LoadedPlan): void => console.log(`${plan.displayName} will be ${plan.auth ?? 'private'}`);
 * await client.deploy('app.py', { onLoaded: ask });
 * ```
 */
export interface LoadedPlan {
  /** Name of the app, without environment; `null` for a function without one. */
  appName: string | null;
  /** Class or function. */
  objectName: string | null;
  /** How messages name it: what was asked for, else the class, else the app. */
  displayName: string;
  /** `null` = nothing says it; servers take `private`. */
  auth: AuthMode | null;
  strategy: DeploymentStrategyName;
  /** Whether scale settings of the code replace those of the app. */
  resetScale: boolean;
  attach: boolean | null;
  /** Scale settings of the code by the official names (`keep_alive`, `machine_type`, `regions`, …); only what it says. */
  scale: Record<string, unknown>;
}

/**
 * What deploys and runs have in common.
 *
 * @example
 * ```ts
 * const options: LoadOptions = { cwd: 'services/images', python: '.venv/bin/python', environmentName: 'staging' };
 * ```
 */
export interface LoadOptions extends CallOptions {
  /** Name of the app. Default: what its class, file or project says. */
  appName?: string | undefined;
  auth?: AuthMode | undefined;
  /** Deployment environment. Default `main`. */
  environmentName?: string | undefined;
  /** Build the Python environment anew. Default `false`. */
  forceEnvBuild?: boolean | undefined;
  /**
   * Called with what was loaded, before anything is sent; awaited. When it throws, nothing happens and that error is thrown.
   */
  onLoaded?: ((plan: LoadedPlan) => void | Promise<void>) | undefined;
  /** Told of everything that happens. */
  onProgress?: ((progress: DeployProgress) => void) | undefined;
  /** Folder that relative paths and pyproject.toml are looked up from. Default: that of the process. */
  cwd?: string | undefined;
  /** Interpreter with `fal` to load the app with. Default: the project's own, else one that uv prepares. */
  python?: string | undefined;
}

/**
 * How to deploy.
 *
 * @example
 * ```ts
 * const options: DeployOptions = { appName: 'my-app', strategy: 'recreate', resetScale: true, message: 'first version' };
 * ```
 */
export interface DeployOptions extends LoadOptions {
  /** Default `rolling`. */
  strategy?: DeploymentStrategyName | undefined;
  /** Take scale settings from the code instead of keeping those of the app. Default `false`. */
  resetScale?: boolean | undefined;
  /** Wait for the rollout (`true`), return as soon as it is registered (`false`), or what the server thinks best. */
  attach?: boolean | undefined;
  /** Kept with the revision; at most 2048 characters. */
  message?: string | undefined;
  /** Kept with the revision; at most 32. */
  annotations?: Record<string, string> | undefined;
}

/**
 * How to run a function or serve an app for a while.
 *
 * @example
 * ```ts
 * const options: RunReferenceOptions = { args: [40], kwargs: { b: 2 } };
 * ```
 */
export interface RunReferenceOptions extends LoadOptions {
  /** Positional arguments of a function, as JSON. */
  args?: readonly unknown[] | undefined;
  /** Named arguments of a function, as JSON. */
  kwargs?: Record<string, unknown> | undefined;
  /** Instead of the machine type of the code. */
  machineType?: string | undefined;
  /** Stop an app after so many requests. */
  limitMaxRequests?: number | undefined;
  /** Run on machines that carry changes to come, where the platform has them. */
  forwardCompat?: boolean | undefined;
  /** Run in the Python on this machine that loads it, without a platform. Default `false`. */
  local?: boolean | undefined;
  /** Port of an app that runs locally. Default 8080. */
  exposedPort?: number | undefined;
  /** Port of its metrics. Default 9090. */
  exposedMetricsPort?: number | undefined;
}

/**
 * A finished deploy.
 *
 * @example
 * ```ts
 * const deployment: Deployment = await client.deploy('app.py::MyApp');
 * console.log(deployment.revision, deployment.urls.sync['/'], deployment.logUrl);
 * ```
 */
export interface Deployment {
  revision: string;
  /** Without environment. */
  appName: string;
  /** Per way to call it: endpoint path → URL. */
  urls: { playground: Record<string, string>; sync: Record<string, string>; async: Record<string, string> };
  logUrl: string;
  authMode: AuthMode;
}
