import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { LannerError, type Clock } from '@lanner/protocol';
import type { EnvironmentTree } from '../builds/environment-store.ts';
import { connectFrames, type FrameConnection } from '../lib/frame-connection.ts';
import type { FrameHandler, FrameHeader, PayloadSink } from '../lib/frames.ts';
import { createLineSplitter } from '../lib/line-splitter.ts';
import type { Log } from '../lib/log.ts';
import { proveAddress } from '../sandbox/address-proof.ts';
import { encodeSpec, launcherPath, pythonFolder, zygotePath, type LauncherSpec } from '../sandbox/exec-sandbox.ts';
import type { Isolation } from '../sandbox/isolation.ts';
import { findHostPid } from './host-pid.ts';

export interface ZygoteOptions {
  id: string;
  tree: EnvironmentTree;
  isolation: Isolation;
  identity: { uid: number; gid: number } | undefined;
  /** What its imports may bind; undefined where the kernel does not help with addresses. */
  address: string | undefined;
  /** Short private folder for its socket. */
  socketFolder: string;
  /** Folder for staged files and scratch folders of its runners; removed when the zygote has ended. */
  workFolder: string;
  /** The account's persistent /data; made when missing. */
  dataFolder: string;
  /** Bundle that apps trust, if the file is there; appears to the runner as the bridge says. */
  caBundlePath: string | undefined;
  clock: Clock;
  log: Log;
}

/** A connected runner: frames it sends before `receive` is called wait. */
export interface RunnerConnection {
  connection: FrameConnection;
  /** Host's pid of the runner's first process, when it can be known. */
  hostPid: number | undefined;
  /** From now on frames go to `handler`. Call it once, in the same tick as the connection was handed over. */
  receive(handler: FrameHandler): void;
}

/** A warm interpreter of one environment that forks runners. */
export interface Zygote {
  readonly id: string;
  readonly tree: EnvironmentTree;
  readonly pid: number | undefined;
  /** Folders of its runners. */
  readonly stageFolder: string;
  readonly scratchFolder: string;
  /** Certificate bundle its runners can be given, when there was one at its start. */
  readonly caBundlePath: string | undefined;
  readonly runnerCount: number;
  /** What lets one of its runners have this address; undefined where the kernel does not help with addresses. */
  proveAddress(address: string): string | undefined;
  /** Resolves when runners can be forked; rejects when it ended before, or took longer than a minute. */
  readonly ready: Promise<void>;
  /** Resolves when it can fork no more (crashed, retired). Its runners may go on. */
  readonly closed: Promise<void>;
  /** Resolves when every process inside is gone and its folders are removed. */
  readonly ended: Promise<void>;
  /**
   * Forks a runner and waits until it has connected.
   * @throws LannerError `internal_error` when the fork failed, the child died or did not connect within 20 s.
   */
  fork(runnerId: string, signal: AbortSignal): Promise<RunnerConnection>;
  /** Forks no more; ends when the last runner has. */
  retire(): void;
  /** Ends it and everything inside at once. */
  kill(): void;
}

interface PendingFork {
  token: string;
  settle: PromiseWithResolvers<RunnerConnection>;
  innerPid: number | undefined;
}

const readyTimeoutMs = 60_000;
const connectTimeoutMs = 20_000;
const helloTimeoutMs = 10_000;
const maxUnknownConnections = 64;
const retired = 'The zygote was retired.';
const socketName = 's';
/** Where the folder of the runner socket appears inside. */
const innerSocketFolder = '/run/lanner/bridge';

/** Starts a zygote in the exec sandbox. Returns at once; see `ready`. */
export function startZygote(options: ZygoteOptions): Zygote {
  const { clock, log, isolation } = options;
  const isInside = isolation.level === 'namespaces';
  const stageFolder = join(options.workFolder, 'files');
  const scratchFolder = join(options.workFolder, 'scratch');
  const socketPath = join(options.socketFolder, socketName);
  const { caBundlePath } = options;
  const hasBundle = caBundlePath !== undefined && existsSync(caBundlePath);
  const folders = { stageFolder, scratchFolder, caBundlePath: hasBundle ? caBundlePath : undefined };
  const addressKey = options.address === undefined ? undefined : randomBytes(32).toString('base64url');
  const ready = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  ready.promise.catch(() => {});
  const forks = new Map<string, PendingFork>();
  const connections = new Set<FrameConnection>();
  let child: ChildProcess | undefined;
  let control: FrameConnection | undefined;
  let server: Server | undefined;
  let isClosed = false;
  let isRetiring = false;
  let unknownConnections = 0;
  const lastLines: string[] = [];

  const close = (reason: string): void => {
    if (isClosed) return;
    isClosed = true;
    const error = new LannerError('internal_error', reason);
    ready.reject(error);
    for (const fork of forks.values()) fork.settle.reject(error);
    forks.clear();
    control?.close();
    server?.close();
    closed.resolve();
  };

  const onControlFrame = (header: FrameHeader): undefined => {
    const fork = typeof header['runnerId'] === 'string' ? forks.get(header['runnerId']) : undefined;
    if (header.type === 'zygote-ready') ready.resolve();
    else if (header.type === 'forked' && fork !== undefined) fork.innerPid = Number(header['pid']) || undefined;
    else if (header.type === 'fork-failed') {
      fork?.settle.reject(
        new LannerError('internal_error', `The runner could not be forked: ${String(header['message'])}`),
      );
    } else if (header.type === 'child-ended') {
      fork?.settle.reject(
        new LannerError('internal_error', `The forked process ended at once (status ${String(header['status'])}).`),
      );
    }
    return undefined;
  };

  const hostPidOf = (innerPid: number | undefined): number | undefined => {
    if (innerPid === undefined || child?.pid === undefined) return undefined;
    return isInside ? findHostPid(child.pid, innerPid, 1) : innerPid;
  };

  const onRunnerSocket = (socket: Socket): void => {
    if (unknownConnections >= maxUnknownConnections) return void socket.destroy();
    unknownConnections += 1;
    let handler: FrameHandler | undefined;
    let isKnown = false;
    const helloTimer = clock.setTimer(helloTimeoutMs, () => socket.destroy());
    const admit = (): void => {
      isKnown = true;
      unknownConnections -= 1;
      helloTimer.cancel();
    };
    const connection = connectFrames(socket, {
      onFrame(header, payloadBytes): PayloadSink | undefined {
        if (handler !== undefined) return handler.onFrame(header, payloadBytes);
        const runnerId = String(header['runnerId']);
        const fork = header.type === 'hello' && payloadBytes === 0 ? forks.get(runnerId) : undefined;
        // Tokens are 256 random bits and single-use: what a comparison's time tells is of no use within one guess.
        if (isKnown || fork === undefined || fork.token !== header['token']) {
          socket.destroy();
          return undefined;
        }
        admit();
        forks.delete(runnerId);
        connections.add(connection);
        void connection.ended.then(() => connections.delete(connection));
        // What follows `hello` in the same packet must find its handler.
        handler = queueingHandler();
        const receive = (next: FrameHandler): void => {
          const queued = handler as QueueingHandler;
          handler = next;
          queued.replay(next);
        };
        fork.settle.resolve({
          connection,
          hostPid: hostPidOf(fork.innerPid ?? (Number(header['pid']) || undefined)),
          receive,
        });
        return undefined;
      },
    });
    void connection.ended.then(() => {
      if (!isKnown) admit();
    });
  };

  const launch = async (): Promise<void> => {
    const { identity } = options;
    await mkdir(options.socketFolder, { recursive: true, mode: 0o755 });
    await mkdir(stageFolder, { recursive: true, mode: 0o755 });
    await mkdir(scratchFolder, { recursive: true, mode: 0o755 });
    await mkdir(options.dataFolder, { recursive: true, mode: 0o755 });
    if (identity !== undefined) {
      await chown(scratchFolder, identity.uid, identity.gid);
      await chown(options.dataFolder, identity.uid, identity.gid);
    }
    await rm(socketPath, { force: true });
    server = createServer(onRunnerSocket);
    server.unref();
    await new Promise<void>((resolve, reject) => {
      server!.once('error', reject);
      server!.listen(socketPath, resolve);
    });
    await chmod(socketPath, 0o666);
    if (isClosed) return;
    const spec = zygoteSpec(options, folders, addressKey);
    child = spawn(isolation.pythonPath, ['-I', launcherPath], {
      env: {},
      cwd: '/',
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      detached: true, // a Ctrl-C at the terminal is the supervisor's to handle
    });
    child.stdin!.on('error', () => {});
    child.stdin!.write(encodeSpec(spec));
    for (const name of ['stdout', 'stderr'] as const) {
      const lines = createLineSplitter((line) => {
        if (lastLines.push(line) > 20) lastLines.shift();
        log.warn({ zygote: options.id, line: line.slice(0, 2000) }, 'zygote output');
      });
      child[name]!.on('data', lines.push);
      child[name]!.on('end', lines.end);
    }
    child.once('error', (error) => {
      lastLines.push(error.message);
      finish();
    });
    child.once('close', finish);
    control = connectFrames(child.stdio[3] as Duplex, { onFrame: onControlFrame });
    void control.ended.then(() => close(`The zygote of this environment ended. ${lastLines.at(-1) ?? ''}`.trim()));
    const timer = clock.setTimer(readyTimeoutMs, () => {
      close('The zygote of this environment was not ready within a minute.');
      child?.kill('SIGKILL');
    });
    void ready.promise.then(timer.cancel, timer.cancel);
  };

  const finish = (): void => {
    close(`The zygote of this environment ended. ${lastLines.at(-1) ?? ''}`.trim());
    for (const connection of connections) connection.close();
    void Promise.allSettled([
      rm(options.workFolder, { recursive: true, force: true }),
      rm(options.socketFolder, { recursive: true, force: true }),
    ]).then(() => ended.resolve());
  };

  launch().then(
    () => {
      if (child === undefined) finish();
    },
    (error: unknown) => {
      log.error({ zygote: options.id, error }, 'zygote could not be launched');
      lastLines.push(String(error));
      finish();
    },
  );

  return {
    id: options.id,
    tree: options.tree,
    ...folders,
    get pid() {
      return child?.pid;
    },
    get runnerCount() {
      return connections.size + forks.size;
    },
    proveAddress: (address) => (addressKey === undefined ? undefined : proveAddress(addressKey, address)),
    ready: ready.promise,
    closed: closed.promise,
    ended: ended.promise,
    async fork(runnerId, signal) {
      await ready.promise;
      if (isClosed || isRetiring) throw new LannerError('internal_error', 'The zygote of this environment has ended.');
      signal.throwIfAborted();
      const token = randomBytes(32).toString('base64url');
      const settle = Promise.withResolvers<RunnerConnection>();
      const fork: PendingFork = { token, settle, innerPid: undefined };
      forks.set(runnerId, fork);
      const timer = clock.setTimer(connectTimeoutMs, () => {
        settle.reject(new LannerError('internal_error', 'The forked runner did not connect within 20 s.'));
      });
      const onAbort = (): void => settle.reject(signal.reason as Error);
      signal.addEventListener('abort', onAbort, { once: true });
      control!.send({
        type: 'fork',
        runnerId,
        socket: isInside ? join(innerSocketFolder, socketName) : socketPath,
        token,
      });
      try {
        return await settle.promise;
      } finally {
        timer.cancel();
        signal.removeEventListener('abort', onAbort);
        if (forks.get(runnerId) === fork) forks.delete(runnerId);
        if (isRetiring && forks.size === 0) close(retired);
      }
    },
    retire() {
      isRetiring = true;
      closed.resolve();
      if (forks.size === 0) close(retired);
    },
    kill() {
      close('The zygote was stopped.');
      // The lifeline: its end kills everything inside, also where the launcher itself is stuck.
      child?.stdin?.destroy();
      child?.kill('SIGKILL');
    },
  };
}

interface QueueingHandler extends FrameHandler {
  replay(next: FrameHandler): void;
}

/** Holds frames without payload until their handler is known; a payload this early breaks the protocol. */
function queueingHandler(): QueueingHandler {
  const queue: FrameHeader[] = [];
  return {
    onFrame(header, payloadBytes) {
      if (payloadBytes > 0 || queue.length > 1000)
        throw new LannerError('bad_request', 'A runner sent too much before its start.');
      queue.push(header);
      return undefined;
    },
    replay(next) {
      for (const header of queue) next.onFrame(header, 0);
    },
  };
}

interface ZygoteFolders {
  stageFolder: string;
  scratchFolder: string;
  caBundlePath: string | undefined;
}

function zygoteSpec(options: ZygoteOptions, folders: ZygoteFolders, addressKey: string | undefined): LauncherSpec {
  const { tree, identity, isolation } = options;
  const python = join(tree.path, 'bin/python');
  return {
    argv: [python, zygotePath, ...(addressKey === undefined ? ['--python-addresses'] : [])],
    env: {
      PATH: `${tree.path}/bin:/usr/local/bin:/usr/bin:/bin`,
      HOME: isolation.level === 'namespaces' ? '/home/lanner' : folders.scratchFolder,
      LANG: 'C.UTF-8',
      PYTHONUNBUFFERED: '1',
      PYTHONDONTWRITEBYTECODE: '1',
    },
    cwd: '/',
    sandbox: isolation.level,
    ...identity,
    // A build can have made anything of its tree: what the host shows follows from what the platform knows, never from the tree.
    ...(tree.basePython === undefined ? {} : { interpreters: [tree.basePython], interpreterLinks: [python] }),
    binds: [
      { source: tree.path, readOnly: true, followLinks: false },
      { source: pythonFolder, readOnly: true },
      { source: options.socketFolder, target: innerSocketFolder, readOnly: true },
      { source: folders.stageFolder, readOnly: true },
      { source: folders.scratchFolder, readOnly: false },
      { source: options.dataFolder, readOnly: false },
      ...(folders.caBundlePath === undefined ? [] : [{ source: folders.caBundlePath, readOnly: true }]),
    ],
    hostname: 'zygote',
    network: true,
    keepCapabilities: true,
    waitForAll: true,
    passControl: true,
    ...(options.address === undefined || addressKey === undefined ? {} : { address: options.address, addressKey }),
  };
}
