import { rm } from 'node:fs/promises';
import {
  LannerError,
  toLannerError,
  type BuildMessage,
  type BuildRequest,
  type Clock,
  type LogLevel,
} from '@lanner/protocol';
import type { Log } from '../lib/log.ts';
import type { AddressPool } from '../runners/address-pool.ts';
import { identityOf, type Isolation } from '../sandbox/isolation.ts';
import { buildConda } from './build-conda.ts';
import type { BuildContext } from './build-step.ts';
import { buildVirtualenv } from './build-virtualenv.ts';
import { parseEnvironment, type EnvironmentSpec } from './environment-spec.ts';
import type { EnvironmentStore, EnvironmentTree } from './environment-store.ts';
import { findConda } from './find-conda.ts';
import { findPython } from './find-python.ts';
import { findUv } from './find-uv.ts';

export interface EnvironmentsOptions {
  store: EnvironmentStore;
  isolation: () => Promise<Isolation>;
  addresses: AddressPool;
  clock: Clock;
  log: Log;
  hostEnv: Record<string, string>;
  buildEnv: Record<string, string>;
  toolsFolder: string;
  /** Lanner's own certificate bundle, when there is one. */
  caBundlePath: string | undefined;
  /** Builds that run at the same time; the others wait. Default 4. */
  maxConcurrentBuilds?: number;
  /** A tree was replaced by a forced build: remove it once nothing runs from it. */
  onReplaced(tree: EnvironmentTree): void;
  /** A tree was built: a good moment to warm a zygote. */
  onBuilt(tree: EnvironmentTree, accountOrdinal: number): void;
}

/** What a build tells whoever waits for it. */
export type BuildListener = (message: Extract<BuildMessage, { type: 'log' }>) => void;

export interface Environments {
  /**
   * The environment of a definition: the finished tree at once, else a build that equal requests of the account share.
   * @param onLog lines of the build, from its beginning also for those who join late.
   * @throws LannerError `build_failed`; failed builds are not remembered.
   */
  ensure(request: BuildRequest, onLog: BuildListener): Promise<{ tree: EnvironmentTree; cached: boolean }>;
  /** Stops running builds and waits until they are gone. */
  stop(): Promise<void>;
}

interface RunningBuild {
  finished: Promise<EnvironmentTree>;
  lines: Extract<BuildMessage, { type: 'log' }>[];
  listeners: Set<BuildListener>;
}

/** What a build tells of the tree it made. */
type MadeTree = Pick<EnvironmentTree, 'basePython' | 'pythonVersion'>;

/** Lines kept for those who join a running build. */
const maxReplayedLines = 2000;

export function createEnvironments(options: EnvironmentsOptions): Environments {
  const { store, clock } = options;
  const running = new Map<string, RunningBuild>();
  const abort = new AbortController();
  const slots = createSlots(options.maxConcurrentBuilds ?? 4);
  let uvPath: Promise<string> | undefined;

  /** Finds what a build needs of this machine before anything is made; the result does the build. */
  const prepareBuild = async (spec: EnvironmentSpec): Promise<(context: BuildContext) => Promise<MadeTree>> => {
    if (spec.kind === 'conda') {
      const tool = await findConda(options.hostEnv, abort.signal);
      return async (context) => ({ basePython: undefined, pythonVersion: await buildConda(spec, tool, context) });
    }
    const python = await findPython(spec.pythonVersion, options.hostEnv, abort.signal);
    return async (context) => {
      await buildVirtualenv(spec.layers, python, context);
      return { basePython: python.path, pythonVersion: python.version };
    };
  };

  const build = async (
    request: BuildRequest,
    spec: EnvironmentSpec,
    onLine: (line: string, level: LogLevel) => void,
  ) => {
    const isolation = await options.isolation();
    const identity = identityOf(isolation, request.accountOrdinal);
    const make = await prepareBuild(spec);
    uvPath ??= findUv({
      hostEnv: { ...options.buildEnv, ...options.hostEnv },
      toolsFolder: options.toolsFolder,
      pythonPath: isolation.pythonPath,
      onLine: (line) => onLine(line, 'info'),
      signal: abort.signal,
    });
    const uv = await uvPath.catch((error: unknown) => {
      uvPath = undefined;
      throw error;
    });
    const folders = await store.prepare(request.accountId, spec.id, identity);
    const address = isolation.addresses === 'kernel' ? options.addresses.allocate() : undefined;
    try {
      const made = await make({
        ...folders,
        secrets: request.requirementSecrets ?? {},
        uvPath: uv,
        supervisorPython: isolation.pythonPath,
        sandbox: isolation.level,
        identity,
        address,
        buildEnv: options.buildEnv,
        caBundlePath: options.caBundlePath,
        onLine,
        signal: abort.signal,
      });
      const tree: EnvironmentTree = {
        accountId: request.accountId,
        environmentId: spec.id,
        path: folders.tree,
        ...made,
      };
      const replaced = await store.finish(tree);
      if (replaced !== undefined) options.onReplaced(replaced);
      options.onBuilt(tree, request.accountOrdinal);
      return tree;
    } catch (error) {
      await store.removeTree(folders.tree);
      throw error;
    } finally {
      if (address !== undefined) options.addresses.release(address);
      await rm(folders.inputFolder, { recursive: true, force: true });
    }
  };

  const startBuild = (key: string, request: BuildRequest, spec: EnvironmentSpec): RunningBuild => {
    const lines: RunningBuild['lines'] = [];
    const listeners = new Set<BuildListener>();
    const onLine = (line: string, level: LogLevel): void => {
      const message = { type: 'log', atMs: clock.nowMs(), level, line } as const;
      if (lines.length < maxReplayedLines) lines.push(message);
      for (const listener of listeners) listener(message);
    };
    const startedAtMs = clock.monotonicMs();
    const finished = slots
      .use(abort.signal, () => build(request, spec, onLine))
      .then(
        (tree) => {
          running.delete(key);
          const tookMs = Math.round(clock.monotonicMs() - startedAtMs);
          options.log.info({ accountId: request.accountId, environmentId: spec.id, tookMs }, 'environment built');
          return tree;
        },
        (error: unknown) => {
          running.delete(key);
          const failure = toLannerError(error);
          options.log.warn(
            {
              accountId: request.accountId,
              environmentId: spec.id,
              error: failure.message.slice(0, 500),
              cause: failure.cause,
            },
            'environment build failed',
          );
          throw failure;
        },
      );
    finished.catch(() => {});
    const entry = { finished, lines, listeners };
    running.set(key, entry);
    return entry;
  };

  return {
    async ensure(request, onLog) {
      const spec = parseEnvironment(request.environment);
      const key = `${request.accountId}/${spec.id}`;
      let entry = running.get(key);
      if (entry === undefined) {
        const tree = request.force ? undefined : await store.find(request.accountId, spec.id);
        if (tree !== undefined) return { tree, cached: true };
        if (abort.signal.aborted) throw new LannerError('shutting_down', 'The supervisor is stopping.');
        // Somebody may have begun it while the disk was read.
        entry = running.get(key) ?? startBuild(key, request, spec);
      }
      for (const line of entry.lines) onLog(line);
      entry.listeners.add(onLog);
      try {
        return { tree: await entry.finished, cached: false };
      } finally {
        entry.listeners.delete(onLog);
      }
    },
    async stop() {
      abort.abort();
      await Promise.allSettled([...running.values()].map((entry) => entry.finished));
    },
  };
}

/** At most `count` tasks at the same time, in the order they came. */
function createSlots(count: number): { use<T>(signal: AbortSignal, task: () => Promise<T>): Promise<T> } {
  let free = count;
  const queue: (() => void)[] = [];
  return {
    async use(signal, task) {
      if (free > 0) free -= 1;
      else await new Promise<void>((resolve) => queue.push(resolve));
      try {
        if (signal.aborted) throw new LannerError('shutting_down', 'The supervisor is stopping.');
        return await task();
      } finally {
        const next = queue.shift();
        if (next === undefined) free += 1;
        else next();
      }
    },
  };
}
