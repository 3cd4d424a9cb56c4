import type { Readable } from 'node:stream';
import {
  LannerError,
  type AttemptOrder,
  type AttemptOutcome,
  type AttemptSnapshot,
  supervisorProtocolVersion,
  type BuildMessage,
  type Clock,
  type RunnerExit,
  type RunnerPhase,
  type RunnerResult,
  type RunnerSnapshot,
  type StartRunnerRequest,
  type SupervisorEvent,
  type SupervisorStatus,
} from '@lanner/protocol';
import type { DriverAdoption, RunnerDriver } from '../runner-driver.ts';
import type { RunnerSession } from '../runner-session.ts';

/** What a runner of the in-memory driver does after it was started. */
export interface RunnerScript {
  /** Until `ready` (or until `startFailure`). Default 0: at the next turn of the clock. */
  readyAfterMs?: number;
  /** Ends before it is ready. */
  startFailure?: Pick<RunnerExit, 'reason' | 'message'>;
  /** Finishes by itself with this result instead of serving. */
  result?: { result: RunnerResult; bytes: Uint8Array };
  /** Time it takes to stop after SIGTERM. Default 0. */
  stopAfterMs?: number;
  /** The driver refuses to start it. */
  refusal?: LannerError;
  /** Lines it prints on its way. */
  logLines?: string[];
}

export interface InMemoryRunner {
  request: StartRunnerRequest;
  snapshot: RunnerSnapshot;
  stopCalls: { graceMs: number }[];
  killCalls: number;
}

/** For tests: runners that exist only as events, obeying a script and the clock. */
export class InMemoryDriver implements RunnerDriver {
  readonly runners = new Map<string, InMemoryRunner>();
  /** Every start that was asked for, refused ones included, in order. */
  readonly startRequests: StartRunnerRequest[] = [];
  /** Chooses what a runner does; replace it to change the weather. */
  script: (request: StartRunnerRequest, startNumber: number) => RunnerScript = () => ({});
  buildMessages: BuildMessage[] = [{ type: 'done', environmentId: 'e'.repeat(64), cached: true }];
  readonly #clock: Clock;
  readonly #listeners = new Set<(event: SupervisorEvent) => void>();
  readonly #results = new Map<string, Uint8Array>();
  readonly #scripts = new Map<string, RunnerScript>();
  #seq = 0;
  #addressCount = 0;
  #early: SupervisorEvent[] | null = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Runners that have not exited. */
  get live(): InMemoryRunner[] {
    return [...this.runners.values()].filter((runner) => runner.snapshot.phase !== 'exited');
  }

  async start(): Promise<DriverAdoption> {
    const runners = this.live.map((runner) => ({ ...runner.snapshot }));
    const early = this.#early ?? [];
    this.#early = null;
    for (const event of early) this.#emit(event);
    return { adopted: runners.length > 0, runners };
  }

  async stop(): Promise<void> {
    this.#listeners.clear();
  }

  async *build(): AsyncGenerator<BuildMessage> {
    yield* this.buildMessages;
  }

  async startRunner(request: StartRunnerRequest): Promise<{ host: string }> {
    this.startRequests.push(request);
    const script = this.script(request, this.startRequests.length);
    if (script.refusal) throw script.refusal;
    this.#addressCount += 1;
    const address = `127.1.${this.#addressCount >> 8}.${this.#addressCount & 255}`;
    this.runners.set(request.runnerId, {
      request,
      stopCalls: [],
      killCalls: 0,
      snapshot: {
        runnerId: request.runnerId,
        accountId: request.accountId,
        revisionId: request.revisionId,
        appName: request.appName,
        purpose: request.purpose,
        phase: 'starting',
        address,
        ...(request.exposedPort === undefined ? {} : { exposedPort: request.exposedPort }),
        ...(request.machineType === undefined ? {} : { machineType: request.machineType }),
        startedAtMs: this.#clock.nowMs(),
      },
    });
    this.#scripts.set(request.runnerId, script);
    this.#clock.setTimer(0, () => this.setPhase(request.runnerId, 'setup'));
    this.#clock.setTimer(script.readyAfterMs ?? 0, () => this.#arrive(request.runnerId, script));
    return { host: address };
  }

  async stopRunner(runnerId: string, graceMs: number): Promise<void> {
    const runner = this.runners.get(runnerId);
    if (!runner || runner.snapshot.phase === 'exited') return;
    runner.stopCalls.push({ graceMs });
    if (runner.snapshot.phase === 'stopping') return;
    this.setPhase(runnerId, 'stopping');
    const stopAfterMs = this.#scripts.get(runnerId)?.stopAfterMs ?? 0;
    this.#clock.setTimer(Math.min(stopAfterMs, graceMs), () => {
      this.exit(runnerId, { reason: stopAfterMs > graceMs ? 'killed' : 'stopped' });
    });
  }

  async killRunner(runnerId: string): Promise<void> {
    const runner = this.runners.get(runnerId);
    if (!runner || runner.snapshot.phase === 'exited') return;
    runner.killCalls += 1;
    this.exit(runnerId, { reason: 'killed', signal: 'SIGKILL' });
  }

  async readResult(runnerId: string): Promise<Uint8Array> {
    const bytes = this.#results.get(runnerId);
    if (!bytes) throw new LannerError('not_found', `There is no result of runner ${runnerId}.`);
    return bytes;
  }

  async forgetResult(runnerId: string): Promise<void> {
    this.#results.delete(runnerId);
  }

  /** What was sent to apps; a test answers with {@link finishAttempt}. */
  readonly attempts = new Map<string, AttemptSnapshot & { order: AttemptOrder }>();
  generation: string | null = 'in-memory';

  openSession(): RunnerSession {
    throw new LannerError('unimplemented', 'Runners in memory have no processes.');
  }

  async startAttempt(runnerId: string, order: AttemptOrder): Promise<void> {
    const runner = this.runners.get(runnerId);
    if (!runner || runner.snapshot.phase === 'exited') {
      throw new LannerError('runner_not_found', `There is no runner ${runnerId}.`);
    }
    const { attemptId, requestNumber, attemptNumber } = order;
    if (this.attempts.has(attemptId)) return;
    const startedAtMs = this.#clock.nowMs();
    this.attempts.set(attemptId, { attemptId, runnerId, requestNumber, attemptNumber, startedAtMs, order });
  }

  async listAttempts(): Promise<AttemptSnapshot[]> {
    return [...this.attempts.values()];
  }

  async readAttempt(attemptId: string): Promise<Readable> {
    throw new LannerError('not_found', `Attempt ${attemptId} has its body in its event.`);
  }

  async forgetAttempt(attemptId: string): Promise<void> {
    if (this.attempts.get(attemptId)?.outcome !== undefined) this.attempts.delete(attemptId);
  }

  /** Ends an attempt by hand. */
  finishAttempt(attemptId: string, outcome: AttemptOutcome): void {
    const attempt = this.attempts.get(attemptId)!;
    attempt.outcome = outcome;
    const { runnerId } = attempt;
    this.#emit({
      seq: this.#nextSeq(),
      atMs: this.#clock.nowMs(),
      type: 'attempt.finished',
      runnerId,
      attemptId,
      outcome,
    });
  }

  async status(): Promise<SupervisorStatus> {
    return {
      protocolVersion: supervisorProtocolVersion,
      version: '0.0.0',
      pid: process.pid,
      bootId: 'in-memory',
      startedAtMs: 0,
      isolation: { level: 'process-group', reason: 'nothing runs' },
      runners: this.live.map((runner) => ({ ...runner.snapshot })),
      lastSeq: this.#seq,
    };
  }

  onEvent(listener: (event: SupervisorEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Moves a runner by hand. */
  setPhase(runnerId: string, phase: Exclude<RunnerPhase, 'exited'>): void {
    const order: RunnerPhase[] = ['starting', 'setup', 'ready', 'stopping', 'exited'];
    const { snapshot } = this.runners.get(runnerId)!;
    if (order.indexOf(phase) <= order.indexOf(snapshot.phase)) return;
    snapshot.phase = phase;
    if (phase === 'ready') snapshot.readyAtMs = this.#clock.nowMs();
    this.#emit({ seq: this.#nextSeq(), atMs: this.#clock.nowMs(), type: 'runner.phase', runnerId, phase });
  }

  log(runnerId: string, line: string): void {
    const seq = this.#nextSeq();
    const atMs = this.#clock.nowMs();
    this.#emit({ seq, atMs, type: 'runner.log', runnerId, source: 'user', stream: 'stdout', level: 'stdout', line });
  }

  /** Ends a runner by hand. */
  exit(runnerId: string, exit: Partial<RunnerExit> & Pick<RunnerExit, 'reason'>): void {
    const { snapshot } = this.runners.get(runnerId)!;
    if (snapshot.phase === 'exited') return;
    snapshot.phase = 'exited';
    snapshot.exit = { code: null, signal: null, message: `It ended: ${exit.reason}.`, ...exit };
    this.#emit({
      seq: this.#nextSeq(),
      atMs: this.#clock.nowMs(),
      type: 'runner.exited',
      runnerId,
      exit: snapshot.exit,
    });
  }

  #arrive(runnerId: string, script: RunnerScript): void {
    const { snapshot } = this.runners.get(runnerId)!;
    if (snapshot.phase === 'exited' || snapshot.phase === 'stopping') return;
    for (const line of script.logLines ?? []) this.log(runnerId, line);
    if (script.startFailure) return this.#failStart(runnerId, script.startFailure);
    if (script.result) {
      this.#results.set(runnerId, script.result.bytes);
      const { result } = script.result;
      this.#emit({ seq: this.#nextSeq(), atMs: this.#clock.nowMs(), type: 'runner.result', runnerId, result });
      return this.exit(runnerId, { reason: 'finished', code: 0 });
    }
    this.setPhase(runnerId, 'ready');
  }

  #failStart(runnerId: string, exit: NonNullable<RunnerScript['startFailure']>): void {
    if (exit.reason !== 'startup_timeout') return this.exit(runnerId, exit);
    // A supervisor that gives up on a start stops the process first, and tells why when it has ended.
    this.setPhase(runnerId, 'stopping');
    this.#clock.setTimer(0, () => this.exit(runnerId, exit));
  }

  #nextSeq(): number {
    this.#seq += 1;
    return this.#seq;
  }

  #emit(event: SupervisorEvent): void {
    if (this.#early) this.#early.push(event);
    else for (const listener of [...this.#listeners]) listener(event);
  }
}
