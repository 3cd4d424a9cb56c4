import type { Clock, LannerError } from '@lanner/protocol';
import type { Logger } from 'pino';
import type { ResolvedApp } from '../apps/apps.ts';
import {
  chooseMachineType,
  decide,
  desiredRunners,
  findHold,
  type PoolSample,
  type ScalingAction,
  longestIdleMs,
} from './decide.ts';
import { DecisionHistory, type RecordedDecision } from './decision-history.ts';
import type { Slot, SlotOutcome, SlotRequest } from './dispatcher.ts';
import { EarliestTimer } from './earliest-timer.ts';
import type { LogLine, RunnerView } from './fleet.ts';
import { HeldStarts } from './held-starts.ts';
import { PortChecks } from './port-checks.ts';
import { Replacements } from './replacements.ts';
import type { PrepareRequest, RunnerLifecycle, RunnerOwner } from './runner-lifecycle.ts';
import { toServingIdentity } from './runner-identity.ts';
import { toRunnerView, type Runner } from './runner.ts';
import { SlotTable, type SlotTableOwner } from './slot-table.ts';
import { toStartFailure } from './start-failure.ts';
import { StartHistory } from './start-history.ts';

/** What pools need from outside. */
export interface PoolDeps {
  clock: Clock;
  log: Logger;
  lifecycle: RunnerLifecycle;
  newRunnerId: () => string;
  /** Gathers what a runner of this app needs, at the moment it starts. */
  prepare: (app: ResolvedApp) => PrepareRequest;
  /** True when something accepts connections there. */
  checkPort: (host: string, port: number) => Promise<boolean>;
  recentLogs: (runnerId: string) => LogLine[];
}

/** A runner that dies this soon after becoming ready, before it was given any work, did not really start. */
const stillbornMs = 10_000;

/**
 * The runners and waiting requests of one alias, kept at the size that `decide` wants. Reacts to events and to one timer;
 * never polls. A request that finds a free slot passes without a decision unless the app has a buffer.
 */
export class Pool implements RunnerOwner, SlotTableOwner {
  readonly #deps: PoolDeps;
  readonly #table: SlotTable;
  readonly #starts = new StartHistory();
  readonly #replacements = new Replacements();
  readonly #history = new DecisionHistory();
  /** Every live runner of this alias, draining and older revisions included. */
  readonly #runners = new Set<Runner>();
  /** Runners of the active revision on their way, in the order they were started. */
  readonly #starting = new Set<Runner>();
  readonly #held = new HeldStarts();
  readonly #portChecks: PortChecks;
  readonly #timer: EarliestTimer;
  #app: ResolvedApp;
  #dormant = false;
  #isEvaluating = false;
  #closedWith: (() => LannerError) | null = null;

  constructor(app: ResolvedApp, deps: PoolDeps) {
    this.#app = app;
    this.#deps = deps;
    this.#table = new SlotTable(deps.clock, this);
    this.#timer = new EarliestTimer(deps.clock, () => this.evaluate());
    this.#portChecks = new PortChecks(deps.checkPort, (runner) => deps.lifecycle.stop(runner, 'port closed'));
  }

  get app(): ResolvedApp {
    return this.#app;
  }

  /** Live runners in any state. */
  get runnerCount(): number {
    return this.#runners.size;
  }

  get waitingCount(): number {
    return this.#table.waiters.size;
  }

  get inFlight(): number {
    let count = 0;
    for (const runner of this.#runners) count += runner.inFlight;
    return count;
  }

  get isRolling(): boolean {
    return this.#replacements.size > 0;
  }

  /** See Dispatcher.acquire. */
  acquire(request: SlotRequest): Promise<Slot> {
    if (this.#closedWith) return Promise.reject(this.#closedWith());
    this.#dormant = false;
    const slot = this.#table.acquire(request);
    this.#evaluateForBuffer();
    return slot;
  }

  /** See SlotReclaimer. */
  reclaim(runner: Runner, request: SlotRequest): Slot {
    return this.#table.reclaim(runner, request);
  }

  /** New settings take effect at once; another revision takes over and the runners of the old one drain. */
  update(app: ResolvedApp, readyRunners: readonly Runner[] = []): void {
    const isNewRevision = app.revision.revisionId !== this.#app.revision.revisionId;
    this.#app = app;
    this.#dormant = false;
    this.#together(() => {
      if (isNewRevision) {
        this.#starts.reset();
        this.#replacements.clear();
      }
      for (const runner of readyRunners) this.adopt(runner);
      for (const runner of [...this.#runners]) {
        if (runner.identity.revisionId !== app.revision.revisionId) this.#drain(runner, 'deploy');
      }
      this.#table.setCapacity(app.alias.settings.maxMultiplexing);
    });
  }

  /** Takes in a runner that was started elsewhere: by a rolling deploy, or before the server was restarted. */
  adopt(runner: Runner): void {
    this.#runners.add(runner);
    this.#deps.lifecycle.handOver(runner, this);
    if (runner.isStarting) this.#starting.add(runner);
    if (runner.phase === 'ready') this.#table.add(runner);
    this.evaluate();
  }

  /** A ready runner of the active revision, if there is one. */
  findReady(): Runner | null {
    for (const runner of this.#table.members) return runner;
    return null;
  }

  /** Restart on the same revision: replacements first, or kill at once and start nothing until a request comes. */
  rollout(force: boolean): void {
    this.#together(() => {
      if (force) {
        this.#dormant = this.#table.waiters.size === 0;
        this.#replacements.clear();
        for (const runner of [...this.#runners]) this.#deps.lifecycle.kill(runner, 'rollout');
      } else {
        for (const runner of [...this.#table.members, ...this.#starting]) this.#replacements.want(runner);
      }
    });
  }

  /** Manual stop (platform-semantics 3.3): SIGTERM at once, or once a replacement is ready. */
  stopRunner(runner: Runner, replaceFirst: boolean): void {
    const canWait = replaceFirst && (this.#table.members.has(runner) || this.#starting.has(runner));
    if (canWait) this.#replacements.want(runner);
    else this.#deps.lifecycle.stop(runner, 'manual');
    this.evaluate();
  }

  killRunner(runner: Runner): void {
    this.#deps.lifecycle.kill(runner, 'manual');
  }

  /**
   * No more requests; those that wait are told `reason`. With `stopRunners` every runner is stopped too (the app is gone);
   * without, they live on (the server restarts).
   */
  close(reason: () => LannerError, options: { stopRunners: boolean }): void {
    this.#closedWith = reason;
    this.#timer.cancel();
    this.#held.clear();
    this.#replacements.clear();
    this.#table.waiters.failAll(reason);
    if (options.stopRunners) for (const runner of [...this.#runners]) this.#deps.lifecycle.stop(runner, 'app deleted');
  }

  /** Live runners, and starts that are held back, for listings. */
  views(): RunnerView[] {
    const nowMs = this.#deps.clock.monotonicMs();
    const { settings } = this.#app.alias;
    const { desired } = desiredRunners(this.#table.inFlight, settings, this.#dormant);
    const hasSpare = this.#table.size > desired;
    const views = [...this.#runners].map((runner) =>
      toRunnerView(
        runner,
        hasSpare && this.#table.idle.has(runner) && runner.holders === 0
          ? Math.max(0, runner.idleSinceMs + longestIdleMs(settings, runner.everServed) - nowMs)
          : null,
      ),
    );
    return [...views, ...this.#held.views];
  }

  /** The last decisions that did something, oldest first. */
  explain(): RecordedDecision[] {
    return this.#history.list();
  }

  /** Brings the pool to the size it should have now. Called whenever something changed. */
  evaluate(): void {
    // Acting on a decision calls back into this method; the outer round sees the result.
    if (this.#isEvaluating || this.#closedWith) return;
    this.#isEvaluating = true;
    try {
      const nowMs = this.#deps.clock.monotonicMs();
      const decision = decide(nowMs, this.#sample(), this.#app.alias.settings);
      this.#history.record(this.#deps.clock.nowMs(), decision, this.#table.inFlight, this.#table.waiters.size);
      for (const action of decision.actions) this.#act(action);
      this.#held.show(decision.held?.count ?? 0, this.#app, this.#deps.newRunnerId, this.#deps.clock.nowMs());
      const replacementsHeldUntilMs = this.#startReplacements(nowMs);
      // A replacement on its way is no answer to demand, but it will serve.
      if (decision.hopeless && this.#starting.size === 0) this.#refuseWaiting(decision.hopeless, nowMs);
      for (const atMs of [decision.nextChangeAtMs, replacementsHeldUntilMs]) if (atMs !== null) this.#wakeAt(atMs);
    } finally {
      this.#isEvaluating = false;
    }
  }

  onReady(runner: Runner): void {
    this.#starts.succeeded(runner);
    this.#starting.delete(runner);
    this.#table.add(runner);
    const replaced = this.#replacements.ready(runner);
    if (replaced) this.#drain(replaced, 'rollout');
    this.evaluate();
  }

  onWithdrawn(runner: Runner): void {
    this.#starting.delete(runner);
    this.#table.remove(runner);
    this.#replacements.forget(runner);
    this.evaluate();
  }

  onEnded(runner: Runner, end: { wasPhase: Runner['phase']; launchError: LannerError | null }): void {
    this.#runners.delete(runner);
    this.#starting.delete(runner);
    this.#table.remove(runner);
    this.#replacements.forget(runner);
    if (runner.identity.revisionId === this.#app.revision.revisionId) this.#learnFrom(runner, end.launchError);
    this.evaluate();
  }

  onDemandChanged(): void {
    this.evaluate();
  }

  onReleased(runner: Runner, outcome: SlotOutcome): void {
    if (outcome.kind === 'terminate') this.#deps.lifecycle.stop(runner, outcome.reason);
    else if (outcome.kind === 'connection-failed') this.#deps.lifecycle.stop(runner, 'connection failed');
    else if (outcome.kind === 'check') void this.#portChecks.check(runner);
    this.#deps.lifecycle.afterRelease(runner);
    const { concurrencyBuffer, concurrencyBufferPerc } = this.#app.alias.settings;
    // Less work may mean a smaller buffer: a runner whose idle time was over long ago goes now.
    if (concurrencyBuffer > 0 || concurrencyBufferPerc > 0 || !runner.everServed) this.evaluate();
    else if (runner.phase === 'ready' && runner.inFlight === 0) this.#wakeWhenIdleEnds();
  }

  /** Several changes, one decision. */
  #together(change: () => void): void {
    this.#isEvaluating = true;
    try {
      change();
    } finally {
      this.#isEvaluating = false;
    }
    this.evaluate();
  }

  #sample(): PoolSample {
    const { idle, members } = this.#table;
    return {
      inFlight: this.#table.inFlight,
      waitingCount: this.#table.waiters.size,
      waitingSinceMs: this.#table.waiters.sinceMs(),
      ready: this.#table.size,
      startingIds: [...this.#starting]
        .filter((runner) => !this.#replacements.isReplacement(runner))
        .map((r) => r.runnerId),
      idle: (function* () {
        for (const { runnerId, idleSinceMs, everServed, holders } of idle)
          if (holders === 0) yield { runnerId, sinceMs: idleSinceMs, everServed };
      })(),
      busy: (function* () {
        for (const { runnerId, inFlight } of members) if (inFlight > 0) yield { runnerId, inFlight };
      })(),
      obstacles: this.#starts.obstacles,
      dormant: this.#dormant,
    };
  }

  #act(action: ScalingAction): void {
    if (action.type === 'start') {
      this.#starting.add(this.#launch(action.machineType, action.reason));
      return;
    }
    const runner = this.#deps.lifecycle.get(action.runnerId);
    if (!runner) return;
    if (action.type === 'stop') this.#deps.lifecycle.stop(runner, action.reason);
    else this.#drain(runner, action.reason);
  }

  #launch(machineType: string, startReason: string): Runner {
    const { alias, revision, ownerNickname } = this.#app;
    const { accountId, aliasName } = alias;
    const identity = toServingIdentity({
      runnerId: this.#held.takeId() ?? this.#deps.newRunnerId(),
      ...{ accountId, ownerNickname, aliasName, revision, machineType, startReason },
    });
    const capacity = alias.settings.maxMultiplexing;
    const runner = this.#deps.lifecycle.launch(identity, capacity, this, this.#deps.prepare(this.#app));
    this.#starts.begun(runner);
    this.#runners.add(runner);
    return runner;
  }

  /** @returns when the replacements that are held back may start. */
  #startReplacements(nowMs: number): number | null {
    const missing = this.#replacements.missing();
    if (missing.length === 0) return null;
    const { machineTypes } = this.#app.alias.settings;
    const hold = findHold(nowMs, this.#starts.obstacles, machineTypes);
    if (hold) return hold.untilMs;
    const choice = chooseMachineType(machineTypes, this.#starts.obstacles.blockedMachineTypes, nowMs);
    if (!('machineType' in choice)) return choice.blockedUntilMs;
    for (const old of missing) {
      const replacement = this.#launch(choice.machineType, 'rollout');
      this.#replacements.begun(old, replacement);
      this.#starting.add(replacement);
    }
    return null;
  }

  #drain(runner: Runner, reason: string): void {
    if (runner.isStarting) this.#deps.lifecycle.stop(runner, reason);
    else this.#deps.lifecycle.drain(runner, reason, this.#app.alias.settings.requestTimeoutSeconds * 1000);
  }

  #refuseWaiting(cause: NonNullable<ReturnType<typeof decide>['hopeless']>, nowMs: number): void {
    if (this.#table.waiters.size === 0) return;
    const { ownerNickname, alias } = this.#app;
    const refusal = this.#starts.refusal(cause, `${ownerNickname}/${alias.aliasName}`, nowMs);
    if (refusal) this.#table.waiters.failAll(() => refusal);
  }

  /** What the end of a runner says about starting others. */
  #learnFrom(runner: Runner, launchError: LannerError | null): void {
    const nowMs = this.#deps.clock.monotonicMs();
    const reason = runner.exit?.reason;
    if (launchError?.code === 'no_capacity') return this.#starts.foundNoCapacity(runner, launchError, nowMs);
    if (launchError?.code === 'supervisor_unavailable') return this.#starts.foundUnavailable(launchError, nowMs);
    if (launchError) return this.#starts.failed(runner, launchError, nowMs);
    if (!runner.exit || reason === 'stopped' || reason === 'killed') return;
    const aliveMs = runner.readyAtMs === null ? 0 : (runner.endedAtMs ?? 0) - runner.readyAtMs;
    if (runner.readyAtMs !== null && (runner.hadWork || aliveMs > stillbornMs)) return;
    // Callers of a private app are its owners; those of others have no business with its output.
    const isOwners = this.#app.alias.authMode === 'private';
    const logLines = isOwners ? this.#deps.recentLogs(runner.runnerId) : [];
    this.#starts.failed(runner, toStartFailure(runner.identity.appName, runner.exit, logLines), nowMs);
  }

  /** With a buffer every request moves the wanted size; without, a request that found a slot changes nothing. */
  #evaluateForBuffer(): void {
    const { settings } = this.#app.alias;
    if (settings.concurrencyBuffer === 0 && settings.concurrencyBufferPerc === 0) return;
    const { desired } = desiredRunners(this.#table.inFlight, settings, this.#dormant);
    if (desired > this.#table.size) this.evaluate();
  }

  #wakeWhenIdleEnds(): void {
    const keepAliveMs = this.#app.alias.settings.keepAliveSeconds * 1000;
    this.#wakeAt(this.#deps.clock.monotonicMs() + keepAliveMs);
  }

  #wakeAt(atMs: number): void {
    if (!this.#closedWith) this.#timer.wakeAt(atMs);
  }
}
