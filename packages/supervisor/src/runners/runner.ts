import { mkdir, rm, chown } from 'node:fs/promises';
import { join } from 'node:path';
import {
  isLannerError,
  LannerError,
  toLannerError,
  type Clock,
  type ExitReason,
  type RunnerPhase,
  type RunnerResult,
  type RunnerSnapshot,
  type StartRunnerRequest,
  type Timer,
} from '@lanner/protocol';
import type { Environments } from '../builds/environments.ts';
import type { EventLog } from '../events/event-log.ts';
import type { ResultSpool } from '../events/result-spool.ts';
import type { FrameConnection } from '../lib/frame-connection.ts';
import type { FrameHeader, PayloadSink } from '../lib/frames.ts';
import type { Log } from '../lib/log.ts';
import { identityOf, type Isolation } from '../sandbox/isolation.ts';
import type { SessionPlace } from '../sessions/session-place.ts';
import type { Zygote } from '../zygotes/zygote.ts';
import type { Zygotes } from '../zygotes/zygotes.ts';
import { decideExit, type EndFacts } from './exit-reason.ts';
import { parseResult } from './parse-result.ts';
import type { ResourceGuard, ResourceGuards } from './resource-guard.ts';
import { canMove } from './runner-phase.ts';
import { createRunnerLogs, type RunnerLogs } from './runner-logs.ts';
import { stageFiles } from './stage-files.ts';
import { createStartFrame, hostnameOf, type StartFrame } from './start-frame.ts';
import { watchStartup } from './watch-startup.ts';

export interface RunnerDependencies {
  environments: Pick<Environments, 'ensure'>;
  zygotes: Pick<Zygotes, 'fork'>;
  events: EventLog;
  results: ResultSpool;
  guards: ResourceGuards;
  isolation: () => Promise<Isolation>;
  blobFolder: string;
  /** `<this>/<account>` is the account's /data. */
  dataFolder: string;
  clock: Clock;
  log: Log;
}

/** Between the kill frame and closing the connection, which makes the runner's init kill everything. */
const killGraceMs = 2000;
/** How long a process may live on after its callable has returned or raised. */
const lingerMs = 2000;
/** A runner whose lines nobody acknowledges is held up this long before its lines are dropped instead. */
const longestPauseMs = 10_000;
/** After that it is not held up again for this long. */
const pauseRestMs = 60_000;

/**
 * One runner from request to exit: environment, fork, start, readiness, health, end. Phases in runner-phase.ts. It
 * always ends with exactly one `runner.exited` event, its last.
 */
export class Runner {
  readonly request: StartRunnerRequest;
  readonly address: string;
  /** Resolves after the `runner.exited` event. */
  readonly exited: Promise<void>;
  readonly #dependencies: RunnerDependencies;
  readonly #logs: RunnerLogs;
  readonly #startedAtMs: number;
  /** Aborted when the runner is to end, whatever it is doing. */
  readonly #starting = new AbortController();
  readonly #listening = Promise.withResolvers<void>();
  readonly #resolveExited: () => void;
  #phase: RunnerPhase = 'starting';
  #readyAtMs: number | undefined;
  #connection: FrameConnection | undefined;
  #hostPid: number | undefined;
  #appExit: EndFacts['appExit'];
  #result: RunnerResult | undefined;
  #resultStored: Promise<void> = Promise.resolve();
  #abortResult: (() => void) | undefined;
  #endedBy: EndFacts['endedBy'];
  #exit: RunnerSnapshot['exit'];
  #guard: ResourceGuard | undefined;
  /** Whose folders hold something of this runner. */
  readonly #zygotesUsed = new Set<Zygote>();
  readonly #timers = new Set<Timer>();
  #resume: (() => void) | undefined;
  #heldUpInVainAtMs = Number.NEGATIVE_INFINITY;
  #connectionError: string | undefined;

  constructor(request: StartRunnerRequest, address: string, dependencies: RunnerDependencies) {
    this.request = request;
    this.address = address;
    this.#dependencies = dependencies;
    this.#startedAtMs = dependencies.clock.nowMs();
    this.#logs = createRunnerLogs(request.runnerId, request.env, dependencies.events, dependencies.clock);
    const exited = Promise.withResolvers<void>();
    this.exited = exited.promise;
    this.#resolveExited = exited.resolve;
  }

  get phase(): RunnerPhase {
    return this.#phase;
  }

  get snapshot(): RunnerSnapshot {
    const { runnerId, accountId, revisionId, appName, purpose, exposedPort, machineType } = this.request;
    return {
      ...{ runnerId, accountId, revisionId, appName, purpose, phase: this.#phase, address: this.address },
      startedAtMs: this.#startedAtMs,
      ...(exposedPort === undefined ? {} : { exposedPort }),
      ...(machineType === undefined ? {} : { machineType }),
      ...(this.#readyAtMs === undefined ? {} : { readyAtMs: this.#readyAtMs }),
      ...(this.#exit === undefined ? {} : { exit: this.#exit }),
      ...(this.#result === undefined ? {} : { result: this.#result }),
    };
  }

  /** Begins; everything that follows is told by events. */
  start(): void {
    this.#dependencies.events.append({ type: 'runner.phase', runnerId: this.request.runnerId, phase: 'starting' });
    void this.#live();
  }

  /** SIGTERM now, SIGKILL after `graceMs`. Later calls may only shorten the grace. */
  stop(graceMs: number): void {
    this.#end('stopped', 'The runner was asked to stop.', graceMs);
  }

  /**
   * What a command beside the app needs to know.
   * @throws LannerError `runner_not_found` when there is no process (any more) to be beside of.
   */
  async sessionPlace(): Promise<SessionPlace> {
    const { runnerId, accountOrdinal, env } = this.request;
    const isolation = await this.#dependencies.isolation();
    const zygote = [...this.#zygotesUsed].at(-1);
    const hasProcess = this.#connection !== undefined && this.#phase !== 'exited' && zygote !== undefined;
    if (!hasProcess || (isolation.level === 'namespaces' && this.#hostPid === undefined)) {
      throw new LannerError('runner_not_found', `Runner ${runnerId} has no process: it starts, or has ended.`);
    }
    return {
      sandbox: isolation.level,
      initPid: this.#hostPid,
      ...identityOf(isolation, accountOrdinal),
      env,
      hostname: hostnameOf(runnerId),
      address: this.address,
      scratchDir: join(zygote.scratchFolder, runnerId),
      prefix: zygote.tree.path,
      hasBroker: isolation.level === 'namespaces' && isolation.addresses === 'kernel',
      pythonPath: isolation.pythonPath,
    };
  }

  /** SIGKILL now. */
  kill(): void {
    this.#end('killed', 'The runner was killed on request.', 0);
  }

  async #live(): Promise<void> {
    let failure: EndFacts['endedBy'];
    try {
      const tree = await this.#prepareEnvironment();
      const forked = await this.#dependencies.zygotes.fork({
        tree,
        accountOrdinal: this.request.accountOrdinal,
        runnerId: this.request.runnerId,
        prepare: (each) => this.#prepareStart(each),
        signal: this.#starting.signal,
      });
      const { runner, prepared } = forked;
      this.#connection = runner.connection;
      this.#hostPid = runner.hostPid;
      if (this.#endedBy !== undefined) throw new Error('ended while it was being forked');
      this.#guard = this.#dependencies.guards.create(this.request.runnerId, this.request.limits, runner.hostPid);
      runner.receive({ onFrame: (header, payloadBytes) => this.#onFrame(header, payloadBytes) });
      await runner.connection.sendPayload(prepared.header, prepared.payloadBytes, prepared.parts);
      this.#watchStartup();
      const connectionError = await runner.connection.ended;
      failure = await this.#settle(connectionError);
    } catch (error) {
      this.#connection?.close();
      failure = this.#endedBy ?? this.#describeFailure(error);
    }
    await this.#finish(failure);
  }

  async #prepareEnvironment() {
    const { accountId, accountOrdinal, environment, requirementSecrets: secrets } = this.request;
    const requirementSecrets = secrets === undefined ? {} : { requirementSecrets: secrets };
    const { tree } = await withAbort(
      this.#dependencies.environments.ensure(
        { accountId, accountOrdinal, environment, ...requirementSecrets, force: false },
        (message) => this.#logs.add('builder', message.level, message.line),
      ),
      this.#starting.signal,
    );
    return tree;
  }

  async #prepareStart(zygote: Zygote): Promise<StartFrame> {
    const { blobFolder, dataFolder } = this.#dependencies;
    const { runnerId, accountId, files } = this.request;
    const isolation = await this.#dependencies.isolation();
    const identity = identityOf(isolation, this.request.accountOrdinal);
    const scratchFolder = join(zygote.scratchFolder, runnerId);
    this.#zygotesUsed.add(zygote);
    await mkdir(scratchFolder, { mode: 0o700 });
    if (identity !== undefined) await chown(scratchFolder, identity.uid, identity.gid);
    const staged = await stageFiles(files, blobFolder, join(zygote.stageFolder, runnerId), identity !== undefined);
    return createStartFrame({
      request: this.request,
      address: this.address,
      addressProof: zygote.proveAddress(this.address),
      files: staged,
      blobFolder,
      dataFolder: join(dataFolder, accountId),
      scratchFolder,
      caBundlePath: zygote.caBundlePath,
      sandbox: isolation.level,
    });
  }

  #onFrame(header: FrameHeader, payloadBytes: number): PayloadSink | undefined {
    if (this.#phase === 'exited') return undefined;
    switch (header.type) {
      case 'log':
        this.#logs.takeFrame(header);
        this.#holdUpIfFull();
        return undefined;
      case 'setup':
        this.#move('setup');
        return undefined;
      case 'listening':
        if (header['port'] === this.request.exposedPort) this.#listening.resolve();
        return undefined;
      case 'result':
        return this.#takeResult(header, payloadBytes);
      case 'exit':
        this.#appExit ??= { code: toNumber(header['code']), signal: toText(header['signal']) };
        return undefined;
      default:
        return undefined;
    }
  }

  #takeResult(header: FrameHeader, payloadBytes: number): PayloadSink | undefined {
    if (this.#result !== undefined) return undefined;
    const result = parseResult(header, payloadBytes);
    this.#result = result;
    if (this.request.purpose === 'serve') this.#logTraceback(result);
    // The callable is done. Threads it left behind may keep its process alive; nothing waits for them.
    this.#setTimer(lingerMs, () => {
      if (this.#connection !== undefined) this.#killNow(this.#connection);
    });
    const { results, events } = this.#dependencies;
    const { runnerId } = this.request;
    const tell = (told: RunnerResult): void => {
      this.#result = told;
      events.append({ type: 'runner.result', runnerId, result: told });
    };
    if (result.failure !== undefined) {
      tell(result);
      return undefined;
    }
    const { sink, saved } = results.receive(runnerId);
    this.#abortResult = sink.abort;
    this.#resultStored = saved.then(
      () => tell(result),
      (error: unknown) => {
        this.#dependencies.log.error({ runnerId, error }, 'result could not be stored');
        const failure = { code: 'internal_error', message: 'The result of the function could not be stored.' } as const;
        tell({ ...result, sizeBytes: 0, failure });
      },
    );
    return sink;
  }

  /** Nobody fetches the result of a runner that should serve: what it raised belongs into its log. */
  #logTraceback({ stringizedTraceback }: RunnerResult): void {
    for (const line of stringizedTraceback?.trimEnd().split('\n') ?? []) this.#logs.add('user', 'error', line);
  }

  /** Without a port there is nothing to wait for. */
  #watchStartup(): void {
    const { exposedPort, graceMs, runnerId } = this.request;
    const { clock, log } = this.#dependencies;
    if (exposedPort === undefined) return;
    void watchStartup({
      request: this.request,
      address: this.address,
      port: exposedPort,
      clock,
      listening: this.#listening.promise,
      signal: this.#starting.signal,
      onReady: () => {
        this.#move('setup'); // a bridge that is newer or older may leave it out
        return this.#move('ready');
      },
      onEnd: (reason, message) => this.#end(reason, message, graceMs),
      say: (line) => this.#logs.add('bridge', 'info', line),
      onError: (error) => log.error({ runnerId, error }, 'readiness failed'),
    });
  }

  #end(reason: ExitReason, message: string, graceMs: number): void {
    if (this.#phase === 'exited') return;
    const isFirst = this.#endedBy === undefined;
    this.#endedBy ??= { reason, message };
    if (isFirst) {
      this.#move('stopping');
      this.#starting.abort(new Error(message));
    }
    this.#resume?.();
    const connection = this.#connection;
    if (connection === undefined) return; // the abort ends it
    if (isFirst && graceMs > 0) connection.send({ type: 'stop', signal: 'SIGTERM' });
    if (graceMs > 0) this.#setTimer(graceMs, () => this.#killNow(connection));
    else this.#killNow(connection);
  }

  #killNow(connection: FrameConnection): void {
    connection.send({ type: 'kill' });
    this.#setTimer(killGraceMs, () => {
      this.#guard?.kill();
      connection.close();
    });
  }

  /** Slows a runner down while the server reads slower than it prints, so that nothing is lost while somebody reads. */
  #holdUpIfFull(): void {
    const { events, clock } = this.#dependencies;
    const connection = this.#connection;
    if (connection === undefined || this.#resume !== undefined || !events.shouldHoldUp(this.request.runnerId)) return;
    if (clock.monotonicMs() - this.#heldUpInVainAtMs < pauseRestMs) return;
    const unsubscribe = events.onSpace(() => {
      if (!events.isFull(this.request.runnerId)) resume();
    });
    const timer = clock.setTimer(longestPauseMs, () => {
      this.#heldUpInVainAtMs = clock.monotonicMs();
      resume();
    });
    const resume = (): void => {
      unsubscribe();
      timer.cancel();
      this.#resume = undefined;
      connection.resume();
    };
    this.#resume = resume;
    connection.pause();
  }

  async #settle(connectionError: Error | undefined): Promise<EndFacts['endedBy']> {
    if (connectionError !== undefined && isLannerError(connectionError)) {
      this.#connectionError = connectionError.message;
      this.#dependencies.log.warn(
        { runnerId: this.request.runnerId, error: connectionError },
        'runner broke the protocol',
      );
    }
    this.#abortResult?.();
    await this.#resultStored;
    return this.#endedBy;
  }

  #describeFailure(error: unknown): NonNullable<EndFacts['endedBy']> {
    const failure = toLannerError(error);
    if (failure.code === 'build_failed') return { reason: 'build_failed', message: failure.message };
    this.#dependencies.log.error({ runnerId: this.request.runnerId, error }, 'runner could not be started');
    return { reason: 'sandbox_failed', message: failure.message };
  }

  async #finish(endedBy: EndFacts['endedBy']): Promise<void> {
    const { events, log } = this.#dependencies;
    const { runnerId, purpose } = this.request;
    this.#resume?.();
    const isOutOfMemory = this.#guard?.wasOutOfMemory(this.#appExit?.signal ?? null) ?? false;
    this.#guard?.release();
    const bridgeError = this.#logs.lastBridgeError;
    const exit = decideExit({
      purpose,
      ...(this.#result === undefined ? {} : { result: this.#result }),
      ...(this.request.exposedPort === undefined ? {} : { exposedPort: this.request.exposedPort }),
      wasReady: this.#readyAtMs !== undefined,
      isOutOfMemory,
      ...(endedBy === undefined ? {} : { endedBy }),
      ...(this.#appExit === undefined ? {} : { appExit: this.#appExit }),
      ...(bridgeError === undefined ? {} : { bridgeError }),
      ...(this.#connectionError === undefined ? {} : { connectionError: this.#connectionError }),
    });
    this.#phase = 'exited';
    this.#exit = exit;
    this.#starting.abort(new Error('exited'));
    for (const timer of this.#timers) timer.cancel();
    events.flushGap(runnerId);
    events.append({ type: 'runner.exited', runnerId, exit });
    log.info({ runnerId, reason: exit.reason, code: exit.code, signal: exit.signal }, 'runner exited');
    for (const zygote of this.#zygotesUsed) {
      await rm(join(zygote.scratchFolder, runnerId), { recursive: true, force: true }).catch(() => {});
      await rm(join(zygote.stageFolder, runnerId), { recursive: true, force: true }).catch(() => {});
    }
    this.#resolveExited();
  }

  #move(to: 'setup' | 'ready' | 'stopping'): boolean {
    if (!canMove(this.#phase, to)) return false;
    this.#phase = to;
    if (to === 'ready') this.#readyAtMs = this.#dependencies.clock.nowMs();
    this.#dependencies.events.append({ type: 'runner.phase', runnerId: this.request.runnerId, phase: to });
    return true;
  }

  #setTimer(delayMs: number, callback: () => void): Timer {
    const timer = this.#dependencies.clock.setTimer(delayMs, () => {
      this.#timers.delete(timer);
      callback();
    });
    this.#timers.add(timer);
    return timer;
  }
}

function toNumber(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}

function toText(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

/** Leaves a shared wait without ending it. */
function withAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) return Promise.reject(signal.reason as Error);
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
