import { randomUUID } from 'node:crypto';
import { LannerError, type Clock, type RunnerSnapshot, type SupervisorEvent } from '@lanner/protocol';
import type { Logger } from 'pino';
import type { Apps, ResolvedApp } from '../apps/apps.ts';
import type { Secrets } from '../apps/environments-and-secrets.ts';
import { createMachineTypes, type MachineTypes } from '../apps/machine-types.ts';
import type { Accounts } from '../auth/accounts.ts';
import type { Keys } from '../auth/keys.ts';
import type { ChangeFeed } from '../lib/change-feed.ts';
import type { RunnerLogs } from '../observe/runner-logs.ts';
import type { ClientHosts } from '../ports/route.ts';
import type { RunnerDriver } from '../runners/runner-driver.ts';
import type { RunnerStore } from '../runners/runner-store.ts';
import { checkTcpPort } from '../runners/tcp-check.ts';
import type { RecordedDecision } from './decision-history.ts';
import type { Dispatcher, Slot, SlotReclaimer, SlotRequest, Target, Targets } from './dispatcher.ts';
import { EphemeralRuns } from './ephemeral-runs.ts';
import { FirstRunners } from './first-runners.ts';
import type { EphemeralRun, Fleet, LogLine, RunnerView } from './fleet.ts';
import { FollowedApps } from './followed-apps.ts';
import { Pool, type PoolDeps } from './pool.ts';
import { createRunnerPreparation, type RunnerSource } from './prepare-runner.ts';
import { RunnerHistory } from './runner-history.ts';
import { RunnerLifecycle, type PrepareRequest } from './runner-lifecycle.ts';
import { toServingIdentity } from './runner-identity.ts';
import type { RunnerPlatform } from './runner-request.ts';
import { toRunnerView, type Runner } from './runner.ts';

/** What the scheduler is made of. */
export interface SchedulerDeps {
  apps: Apps;
  accounts: Accounts;
  keys: Keys;
  secrets: Secrets;
  driver: RunnerDriver;
  changeFeed: ChangeFeed;
  clock: Clock;
  log: Logger;
  runnerLogs: RunnerLogs;
  /** Remembers runners, for the listings of those that ended. */
  runnerStore: RunnerStore;
  /** See PrepareDeps.modeOf. */
  modeOf: (accountId: string, hash: string) => Promise<number | null>;
  platform: {
    /** Asked at every start: ports may be known only after listening. */
    hosts: () => ClientHosts;
    /** What the URLs of our files begin with; see RunnerPlatform. Default: none. */
    fileUrls?: () => readonly string[];
    /** Set when the supervisor mounts a CA bundle into runners. */
    caBundlePath?: string;
    /** FAL_REGION; default `local`. */
    region?: string;
  };
  /** Default: the published machine types. */
  machineTypes?: Pick<MachineTypes, 'get'>;
  /** Default: a TCP connect. */
  checkPort?: (host: string, port: number) => Promise<boolean>;
}

export interface Scheduler extends Dispatcher, SlotReclaimer, Targets, Fleet {
  /** Starts the driver, takes over the runners it found, and brings every app to its floor. Idempotent. */
  start(): Promise<{ adopted: boolean; keptRunners: number }>;
  /**
   * Refuses and fails waiting requests with `shutting_down`, waits up to `graceMs` for those in flight, and lets go of the
   * driver without stopping it: its owner does that. Runners live on, unless `runnersEnd`: the owner ends them next, and the
   * history says so. Idempotent.
   */
  stop(options: { graceMs: number; runnersEnd?: boolean }): Promise<void>;
  /** The last decisions about an alias that did something, oldest first. */
  explain(aliasId: string): RecordedDecision[];
}

/** How often a stopping scheduler looks whether its last requests are done. */
const drainCheckMs = 20;
/** Lines of a runner that are looked through for an error message. */
const recentLines = 20;

/** Requests to slots, apps to runners: DESIGN sections 7 and 8. */
export function createScheduler(deps: SchedulerDeps): Scheduler {
  return new RunnerScheduler(deps);
}

class RunnerScheduler implements Scheduler {
  readonly #deps: SchedulerDeps;
  readonly #history: RunnerHistory;
  readonly #lifecycle: RunnerLifecycle;
  readonly #prepare: (source: RunnerSource) => PrepareRequest;
  /** By target id. An app without a pool has no runners and no waiting requests. */
  readonly #pools = new Map<string, Pool>();
  readonly #runs: EphemeralRuns;
  readonly #firstRunners: FirstRunners;
  readonly #followed: FollowedApps;
  readonly #unsubscribe: (() => void)[] = [];
  #started: Promise<{ adopted: boolean; keptRunners: number }> | null = null;
  #stopped: Promise<void> | null = null;

  constructor(deps: SchedulerDeps) {
    this.#deps = deps;
    this.#history = new RunnerHistory({ ...deps, store: deps.runnerStore });
    this.#lifecycle = new RunnerLifecycle({ ...deps, history: this.#history });
    this.#prepare = createRunnerPreparation({ ...deps, machineTypes: deps.machineTypes ?? createMachineTypes() });
    this.#followed = new FollowedApps(deps);
    const { clock } = deps;
    const lifecycle = this.#lifecycle;
    this.#firstRunners = new FirstRunners({ clock, lifecycle, recentLogs: this.#recentLogs });
    this.#runs = new EphemeralRuns({
      ...deps,
      lifecycle,
      prepare: this.#prepare,
      platform: () => this.#platform(),
    });
  }

  start(): Promise<{ adopted: boolean; keptRunners: number }> {
    this.#started ??= this.#begin();
    return this.#started;
  }

  stop(options: { graceMs: number; runnersEnd?: boolean }): Promise<void> {
    this.#stopped ??= this.#end(options.graceMs, options.runnersEnd ?? false);
    return this.#stopped;
  }

  acquire(request: SlotRequest): Promise<Slot> {
    const target = this.#pools.get(request.targetId) ?? this.#runs.get(request.targetId);
    if (target) return target.acquire(request);
    if (this.#stopped) return Promise.reject(shuttingDown());
    const app = this.#followed.resolve(request.targetId);
    if (!app) return Promise.reject(appNotFound(request.targetId));
    return this.#createPool(app).acquire(request);
  }

  reclaim(runnerId: string, caller: SlotRequest['caller']): Slot | null {
    const runner = this.#lifecycle.get(runnerId);
    const owner = this.#lifecycle.ownerOf(runnerId);
    if (!runner || !(owner instanceof Pool)) return null;
    const signal = new AbortController().signal;
    const { aliasId } = owner.app.alias;
    return owner.reclaim(runner, { targetId: aliasId, signal, startDeadlineMs: null, ...(caller ? { caller } : {}) });
  }

  find(ownerNickname: string, name: string): Target | null {
    const run = this.#runs.find(ownerNickname, name);
    if (run) return run;
    const app = this.#deps.apps.resolve(ownerNickname, name);
    if (!app) return null;
    const { alias } = app;
    return {
      targetId: alias.aliasId,
      accountId: alias.accountId,
      ownerNickname: app.ownerNickname,
      name: alias.aliasName,
      authMode: alias.authMode,
      requestTimeoutSeconds: alias.settings.requestTimeoutSeconds,
      requestStartTimeoutSeconds: alias.settings.requestStartTimeoutSeconds,
    };
  }

  explain(aliasId: string): RecordedDecision[] {
    return this.#pools.get(aliasId)?.explain() ?? [];
  }

  async startFirstRunner(input: Parameters<Fleet['startFirstRunner']>[0]): Promise<{ runnerId: string }> {
    const { accountId, aliasName, revisionId, signal } = input;
    if (this.#stopped) throw shuttingDown();
    const targetId = `${accountId}/${aliasName}`;
    const pool = this.#pools.get(targetId);
    const present = pool?.app.revision.revisionId === revisionId ? pool.findReady() : null;
    if (present) return { runnerId: present.runnerId };
    const [revision, account] = await Promise.all([
      this.#deps.apps.getRevision(accountId, revisionId),
      this.#deps.accounts.get(accountId),
    ]);
    signal.throwIfAborted();
    if (!revision || !account) {
      throw new LannerError('revision_not_found', `Revision ${revisionId} was not found in this account.`);
    }
    const prepare = this.#prepare({
      accountId,
      environmentName: revision.environmentName,
      revisionId,
      name: aliasName,
      code: revision.code,
      purpose: 'serve',
      startupTimeoutSeconds: revision.settings.startupTimeoutSeconds,
      platform: this.#platform(),
    });
    const { nickname: ownerNickname } = account;
    return this.#firstRunners.start({ ownerNickname, aliasName, revision, prepare, signal, onLog: input.onLog });
  }

  rollout(aliasId: string, force: boolean): Promise<void> {
    this.#pools.get(aliasId)?.rollout(force);
    return Promise.resolve();
  }

  async startRun(input: Parameters<Fleet['startRun']>[0]): Promise<EphemeralRun> {
    if (this.#stopped) throw shuttingDown();
    return this.#runs.start(input);
  }

  listRunners(accountId: string, filter: { aliasName?: string }): RunnerView[] {
    const seen = new Set<string>();
    const views: RunnerView[] = [];
    const add = (view: RunnerView): void => {
      if (view.accountId !== accountId || seen.has(view.runnerId)) return;
      if (filter.aliasName !== undefined && view.aliasName !== filter.aliasName) return;
      seen.add(view.runnerId);
      views.push(view);
    };
    for (const pool of this.#pools.values()) if (pool.app.alias.accountId === accountId) pool.views().forEach(add);
    for (const runner of this.#lifecycle.all()) add(toRunnerView(runner, null));
    return views;
  }

  async listRunnersSince(
    accountId: string,
    filter: { aliasName?: string; endedSinceMs: number },
  ): Promise<RunnerView[]> {
    // In this order, and once each: one that ends meanwhile is listed as live.
    const live = this.listRunners(accountId, filter);
    const liveIds = new Set(live.map(({ runnerId }) => runnerId));
    const ended = await this.#history.list(accountId, filter);
    return [...live, ...ended.filter(({ runnerId }) => !liveIds.has(runnerId))];
  }

  async findRunner(accountId: string, runnerId: string): Promise<RunnerView | null> {
    const live = this.listRunners(accountId, {}).find((runner) => runner.runnerId === runnerId);
    return live ?? this.#history.find(accountId, runnerId);
  }

  async stopRunner(accountId: string, runnerId: string, replaceFirst: boolean): Promise<void> {
    const runner = this.#findRunner(accountId, runnerId);
    const owner = this.#lifecycle.ownerOf(runnerId);
    if (owner instanceof Pool) owner.stopRunner(runner, replaceFirst);
    else this.#lifecycle.stop(runner, 'manual');
  }

  async killRunner(accountId: string, runnerId: string): Promise<void> {
    this.#lifecycle.kill(this.#findRunner(accountId, runnerId), 'manual');
  }

  holdRunner(accountId: string, runnerId: string): () => void {
    const runner = this.#findRunner(accountId, runnerId);
    runner.holders += 1;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      runner.holders -= 1;
      runner.idleSinceMs = this.#deps.clock.monotonicMs();
      const owner = this.#lifecycle.ownerOf(runnerId);
      if (owner instanceof Pool) owner.evaluate();
    };
  }

  countRunners(aliasId: string): number {
    return this.#pools.get(aliasId)?.runnerCount ?? 0;
  }

  isRolling(aliasId: string): boolean {
    return this.#pools.get(aliasId)?.isRolling ?? false;
  }

  async #begin(): Promise<{ adopted: boolean; keptRunners: number }> {
    const { apps, keys, driver, runnerLogs } = this.#deps;
    const unfollow = await this.#followed.follow({
      changed: (aliasId) => this.#followAlias(aliasId),
      deleted: (alias) => this.#onDeleted(alias),
    });
    // Events that arrive before the runners they speak of are known wait here.
    let early: SupervisorEvent[] | null = [];
    const begun = Promise.withResolvers<void>();
    this.#unsubscribe.push(
      driver.onEvent(
        (event) => {
          if (early) early.push(event);
          else this.#onEvent(event);
        },
        () => begun.promise.then(() => runnerLogs.written()),
      ),
      unfollow,
    );
    const adoption = await driver.start();
    const kept = adoption.runners.filter((snapshot) => this.#takeOver(snapshot));
    const ours = [...this.#lifecycle.all()].map((runner) => runner.runnerId);
    await Promise.all([
      keys.keepOnlyRunnerKeys(new Set(ours)),
      // The driver tells the end of every runner that it knows, also of one that is none of ours.
      this.#history.endedBut(
        [...ours, ...adoption.runners.map(({ runnerId }) => runnerId)],
        'lost with its supervisor',
      ),
    ]);
    for (const app of apps.all()) if (hasReserve(app)) this.#poolFor(app).evaluate();
    const waiting = early;
    early = null;
    for (const event of waiting) this.#onEvent(event);
    begun.resolve();
    return { adopted: adoption.adopted, keptRunners: kept.length };
  }

  async #end(graceMs: number, runnersEnd: boolean): Promise<void> {
    for (const pool of this.#pools.values()) pool.close(shuttingDown, { stopRunners: false });
    this.#runs.closeAll(shuttingDown);
    this.#firstRunners.failAll(shuttingDown);
    const hasBegun = await this.#started?.then(
      () => true,
      () => false,
    );
    const untilMs = this.#deps.clock.monotonicMs() + graceMs;
    while (this.#inFlight() > 0 && this.#deps.clock.monotonicMs() < untilMs) await this.#deps.clock.sleep(drainCheckMs);
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    this.#lifecycle.close();
    if (runnersEnd && hasBegun) await this.#history.endedBut([], 'platform stopped');
  }

  /** A runner that outlived the previous server serves on when it is what its alias wants now; otherwise it ends. */
  #takeOver(snapshot: RunnerSnapshot): boolean {
    if (snapshot.phase === 'exited') return false;
    const [owner = '', name = ''] = snapshot.appName.split('/');
    const app = snapshot.purpose === 'serve' ? this.#deps.apps.resolve(owner, name) : null;
    const fits = app?.alias.accountId === snapshot.accountId && app.revision.revisionId === snapshot.revisionId;
    if (!app || !fits || snapshot.phase === 'stopping') {
      this.#stopUnknown(snapshot.runnerId);
      return false;
    }
    const { alias, revision } = app;
    const identity = toServingIdentity({
      ...{ runnerId: snapshot.runnerId, accountId: alias.accountId, ownerNickname: owner, revision },
      aliasName: alias.aliasName,
      machineType: snapshot.machineType ?? alias.settings.machineTypes[0],
      startReason: 'adopted',
      port: snapshot.exposedPort ?? null,
    });
    const pool = this.#poolFor(app);
    pool.adopt(this.#lifecycle.adopt(snapshot, identity, alias.settings.maxMultiplexing, pool));
    return true;
  }

  #stopUnknown(runnerId: string): void {
    this.#deps.log.info({ runnerId }, 'stopping a runner that nothing asks for');
    this.#deps.driver.stopRunner(runnerId, 5_000).catch((error: unknown) => {
      this.#deps.log.warn({ err: error, runnerId }, 'a runner that nothing asks for was not stopped');
    });
  }

  #onEvent(event: SupervisorEvent): void {
    const isLife = event.type === 'runner.phase' && event.phase !== 'stopping';
    // A start whose answer was lost: the scheduler gave up on it, so it must not go on by itself.
    if (isLife && !this.#lifecycle.get(event.runnerId)) return this.#stopUnknown(event.runnerId);
    if (event.type === 'runner.exited' && !this.#lifecycle.get(event.runnerId)) {
      return this.#history.endedUnseen(event.runnerId, event.atMs, event.exit.reason);
    }
    this.#lifecycle.handleEvent(event);
  }

  #onDeleted({ aliasId, aliasName }: { aliasId: string; aliasName: string }): void {
    const pool = this.#pools.get(aliasId);
    this.#pools.delete(aliasId);
    pool?.close(() => appNotFound(`${pool.app.ownerNickname}/${aliasName}`), { stopRunners: true });
  }

  #followAlias(aliasId: string): void {
    const app = this.#followed.resolve(aliasId);
    if (!app || this.#stopped) return;
    const claimed = this.#firstRunners.claim(aliasId, app.revision.revisionId);
    const pool = this.#pools.get(aliasId);
    if (pool) pool.update(app, claimed);
    else if (claimed.length > 0 || hasReserve(app)) this.#createPool(app).update(app, claimed);
  }

  #poolFor(app: ResolvedApp): Pool {
    return this.#pools.get(app.alias.aliasId) ?? this.#createPool(app);
  }

  #createPool(app: ResolvedApp): Pool {
    const pool = new Pool(app, this.#poolDeps);
    this.#pools.set(app.alias.aliasId, pool);
    return pool;
  }

  get #poolDeps(): PoolDeps {
    return {
      clock: this.#deps.clock,
      log: this.#deps.log,
      lifecycle: this.#lifecycle,
      newRunnerId: randomUUID,
      checkPort: this.#deps.checkPort ?? checkTcpPort,
      recentLogs: this.#recentLogs,
      prepare: ({ alias, revision }) =>
        this.#prepare({
          accountId: alias.accountId,
          environmentName: alias.environmentName,
          revisionId: revision.revisionId,
          name: alias.aliasName,
          code: revision.code,
          purpose: 'serve',
          startupTimeoutSeconds: alias.settings.startupTimeoutSeconds,
          platform: this.#platform(),
        }),
    };
  }

  #platform(): RunnerPlatform {
    const { hosts, fileUrls, region, caBundlePath } = this.#deps.platform;
    return {
      hosts: hosts(),
      fileUrls: fileUrls?.() ?? [],
      region: region ?? 'local',
      hasCaBundle: caBundlePath !== undefined,
    };
  }

  readonly #recentLogs = (runnerId: string): LogLine[] => this.#deps.runnerLogs.recent(runnerId, recentLines);

  #findRunner(accountId: string, runnerId: string): Runner {
    const runner = this.#lifecycle.get(runnerId);
    if (runner?.identity.accountId === accountId) return runner;
    throw new LannerError('runner_not_found', `Runner ${runnerId} was not found. It may have ended already.`);
  }

  #inFlight(): number {
    let count = 0;
    for (const runner of this.#lifecycle.all()) count += runner.inFlight;
    return count;
  }
}

/** True when the app holds runners without being called. */
function hasReserve({ alias: { settings } }: ResolvedApp): boolean {
  return settings.minConcurrency > 0 || settings.concurrencyBuffer > 0 || settings.concurrencyBufferPerc > 0;
}

function shuttingDown(): LannerError {
  return new LannerError('shutting_down', 'The server is stopping. Try again in a moment.');
}

function appNotFound(appId: string): LannerError {
  return new LannerError('app_not_found', `App ${appId} was not found.`);
}
