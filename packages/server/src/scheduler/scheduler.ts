import { randomUUID } from 'node:crypto';
import { LannerError, type Clock, type RunnerSnapshot, type SupervisorEvent } from '@lanner/protocol';
import type { Logger } from 'pino';
import type { Apps, ResolvedApp } from '../apps/apps.ts';
import type { Secrets } from '../apps/environments-and-secrets.ts';
import { createMachineTypes, type MachineTypes } from '../apps/machine-types.ts';
import type { Accounts } from '../auth/accounts.ts';
import type { Keys } from '../auth/keys.ts';
import type { Change, ChangeFeed } from '../lib/change-feed.ts';
import type { RunnerLogs } from '../observe/runner-logs.ts';
import type { ClientHosts } from '../ports/route.ts';
import type { RunnerDriver } from '../runners/runner-driver.ts';
import { checkTcpPort } from '../runners/tcp-check.ts';
import type { RecordedDecision } from './decision-history.ts';
import type { Dispatcher, Slot, SlotRequest, Target, Targets } from './dispatcher.ts';
import { EndedRunners } from './ended-runners.ts';
import { EphemeralTarget } from './ephemeral-run.ts';
import { FirstRunner } from './first-runner.ts';
import type { EphemeralRun, Fleet, LogLine, RunnerView } from './fleet.ts';
import { Pool, type PoolDeps } from './pool.ts';
import { createRunnerPreparation, type RunnerSource } from './prepare-runner.ts';
import { RunnerLifecycle, type PrepareRequest } from './runner-lifecycle.ts';
import { defaultAppPort, toExposedPort, toGraceMs, type RunnerPlatform } from './runner-request.ts';
import { toRunnerView, type Runner, type RunnerIdentity } from './runner.ts';

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
  /** See PrepareDeps.modeOf. */
  modeOf: (accountId: string, hash: string) => Promise<number | null>;
  platform: {
    /** Asked at every start: ports may be known only after listening. */
    hosts: () => ClientHosts;
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

export interface Scheduler extends Dispatcher, Targets, Fleet {
  /** Starts the driver, takes over the runners it found, and brings every app to its floor. Idempotent. */
  start(): Promise<{ adopted: boolean; keptRunners: number }>;
  /**
   * Refuses and fails waiting requests with `shutting_down`, waits up to `graceMs` for those in flight, and lets go of the
   * driver without stopping it: its owner does that. Runners live on. Idempotent.
   */
  stop(options: { graceMs: number }): Promise<void>;
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
  readonly #ended: EndedRunners;
  readonly #lifecycle: RunnerLifecycle;
  readonly #prepare: (source: RunnerSource) => PrepareRequest;
  /** By target id. An app without a pool has no runners and no waiting requests. */
  readonly #pools = new Map<string, Pool>();
  readonly #runs = new Map<string, EphemeralTarget>();
  /** By public id, `owner/name`. */
  readonly #runsByName = new Map<string, EphemeralTarget>();
  readonly #firstRunners = new Map<string, Set<{ runner: Runner; first: FirstRunner }>>();
  readonly #nicknames = new Map<string, string>();
  readonly #unsubscribe: (() => void)[] = [];
  #started: Promise<{ adopted: boolean; keptRunners: number }> | null = null;
  #stopped: Promise<void> | null = null;

  constructor(deps: SchedulerDeps) {
    this.#deps = deps;
    this.#ended = new EndedRunners(deps.clock);
    this.#lifecycle = new RunnerLifecycle({ ...deps, ended: this.#ended });
    this.#prepare = createRunnerPreparation({ ...deps, machineTypes: deps.machineTypes ?? createMachineTypes() });
  }

  start(): Promise<{ adopted: boolean; keptRunners: number }> {
    this.#started ??= this.#begin();
    return this.#started;
  }

  stop(options: { graceMs: number }): Promise<void> {
    this.#stopped ??= this.#end(options.graceMs);
    return this.#stopped;
  }

  acquire(request: SlotRequest): Promise<Slot> {
    const target = this.#pools.get(request.targetId) ?? this.#runs.get(request.targetId);
    if (target) return target.acquire(request);
    if (this.#stopped) return Promise.reject(shuttingDown());
    const app = this.#resolve(request.targetId);
    if (!app) return Promise.reject(appNotFound(request.targetId));
    return this.#createPool(app).acquire(request);
  }

  find(ownerNickname: string, name: string): Target | null {
    const run = this.#runsByName.get(`${ownerNickname}/${name}`);
    if (run) return run.target;
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
    const identity: RunnerIdentity = {
      runnerId: randomUUID(),
      accountId,
      aliasId: targetId,
      aliasName,
      appName: `${account.nickname}/${aliasName}`,
      revisionId,
      machineType: revision.settings.machineTypes[0] ?? 'XS',
      startReason: 'rollout',
      graceMs: toGraceMs(revision.code),
      port: revision.code.exposedPort ?? defaultAppPort,
    };
    const waiting = this.#firstRunners.get(targetId) ?? new Set();
    this.#firstRunners.set(targetId, waiting);
    const first = new FirstRunner({
      clock: this.#deps.clock,
      lifecycle: this.#lifecycle,
      recentLogs: this.#recentLogs,
      onLog: input.onLog,
      onGone: () => {
        waiting.delete(entry);
        if (waiting.size === 0 && this.#firstRunners.get(targetId) === waiting) this.#firstRunners.delete(targetId);
      },
    });
    const prepare = this.#prepare({
      accountId,
      environmentName: revision.environmentName,
      revisionId,
      name: aliasName,
      code: revision.code,
      purpose: 'serve',
      startupTimeoutSeconds: revision.settings.startupTimeoutSeconds,
      platform: this.#platform(this.#deps.platform.hosts()),
    });
    const runner = this.#lifecycle.launch(identity, revision.settings.maxMultiplexing, first, prepare);
    const entry = { runner, first };
    waiting.add(entry);
    return first.wait(runner, signal);
  }

  rollout(aliasId: string, force: boolean): Promise<void> {
    this.#pools.get(aliasId)?.rollout(force);
    return Promise.resolve();
  }

  async startRun(input: Parameters<Fleet['startRun']>[0]): Promise<EphemeralRun> {
    if (this.#stopped) throw shuttingDown();
    const { accountId, ownerNickname, code, settings } = input;
    const runId = randomUUID();
    const name = this.#uniqueName(ownerNickname, input.name);
    const target: Target = {
      targetId: runId,
      accountId,
      ownerNickname,
      name,
      authMode: input.authMode,
      requestTimeoutSeconds: settings.requestTimeoutSeconds,
      requestStartTimeoutSeconds: null,
    };
    const port = toExposedPort(code, 'run');
    const run = new EphemeralTarget(target, port !== null, {
      clock: this.#deps.clock,
      log: this.#deps.log,
      driver: this.#deps.driver,
      lifecycle: this.#lifecycle,
      onGone: () => {
        this.#runs.delete(runId);
        this.#runsByName.delete(`${ownerNickname}/${name}`);
      },
    });
    this.#runs.set(runId, run);
    if (port !== null) this.#runsByName.set(`${ownerNickname}/${name}`, run);
    const identity: RunnerIdentity = {
      runnerId: randomUUID(),
      accountId,
      aliasId: null,
      aliasName: name,
      appName: `${ownerNickname}/${name}`,
      revisionId: runId,
      machineType: settings.machineTypes[0] ?? 'XS',
      startReason: 'run',
      graceMs: toGraceMs(code),
      port,
    };
    const prepare = this.#prepare({
      accountId,
      environmentName: input.environmentName,
      revisionId: runId,
      name,
      code,
      purpose: 'run',
      startupTimeoutSeconds: settings.startupTimeoutSeconds,
      platform: this.#platform(input.clientHosts),
    });
    run.begin(this.#lifecycle.launch(identity, settings.maxMultiplexing, run, prepare));
    return run;
  }

  listRunners(accountId: string, filter: { aliasName?: string; endedSinceMs?: number }): RunnerView[] {
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
    if (filter.endedSinceMs !== undefined) this.#ended.list(accountId, filter.endedSinceMs).forEach(add);
    return views;
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

  countRunners(aliasId: string): number {
    return this.#pools.get(aliasId)?.runnerCount ?? 0;
  }

  isRolling(aliasId: string): boolean {
    return this.#pools.get(aliasId)?.isRolling ?? false;
  }

  async #begin(): Promise<{ adopted: boolean; keptRunners: number }> {
    const { apps, accounts, keys, driver, changeFeed } = this.#deps;
    for (const account of await accounts.list()) this.#nicknames.set(account.accountId, account.nickname);
    // Events that arrive before the runners they speak of are known wait here.
    let early: SupervisorEvent[] | null = [];
    this.#unsubscribe.push(
      driver.onEvent((event) => {
        if (early) early.push(event);
        else this.#onEvent(event);
      }),
      changeFeed.subscribe((change) => this.#onChange(change)),
    );
    const adoption = await driver.start();
    const kept = adoption.runners.filter((snapshot) => this.#takeOver(snapshot));
    await keys.keepOnlyRunnerKeys(new Set([...this.#lifecycle.all()].map((runner) => runner.runnerId)));
    for (const app of apps.all()) if (hasReserve(app)) this.#poolFor(app).evaluate();
    const waiting = early;
    early = null;
    for (const event of waiting) this.#onEvent(event);
    return { adopted: adoption.adopted, keptRunners: kept.length };
  }

  async #end(graceMs: number): Promise<void> {
    for (const pool of this.#pools.values()) pool.close(shuttingDown, { stopRunners: false });
    for (const run of [...this.#runs.values()]) run.close(shuttingDown);
    for (const waiting of [...this.#firstRunners.values()])
      for (const { first } of [...waiting]) first.fail(shuttingDown());
    await this.#started?.catch(() => undefined);
    const untilMs = this.#deps.clock.monotonicMs() + graceMs;
    while (this.#inFlight() > 0 && this.#deps.clock.monotonicMs() < untilMs) await this.#deps.clock.sleep(drainCheckMs);
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    this.#lifecycle.close();
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
    const identity: RunnerIdentity = {
      runnerId: snapshot.runnerId,
      accountId: alias.accountId,
      aliasId: alias.aliasId,
      aliasName: alias.aliasName,
      appName: snapshot.appName,
      revisionId: revision.revisionId,
      machineType: alias.settings.machineTypes[0] ?? 'XS',
      startReason: 'adopted',
      graceMs: toGraceMs(revision.code),
      port: snapshot.exposedPort ?? revision.code.exposedPort ?? defaultAppPort,
    };
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
    this.#lifecycle.handleEvent(event);
  }

  #onChange(change: Change): void {
    if (change.type === 'alias.deleted') {
      const pool = this.#pools.get(change.aliasId);
      this.#pools.delete(change.aliasId);
      pool?.close(() => appNotFound(pool.app.ownerNickname + '/' + change.aliasName), { stopRunners: true });
      return;
    }
    if (change.type !== 'alias.changed') return;
    if (this.#nicknames.has(change.accountId)) return this.#followAlias(change.aliasId);
    this.#deps.accounts
      .get(change.accountId)
      .then((account) => {
        if (account) this.#nicknames.set(account.accountId, account.nickname);
        this.#followAlias(change.aliasId);
      })
      .catch((error: unknown) =>
        this.#deps.log.error({ err: error, aliasId: change.aliasId }, 'a change was not followed'),
      );
  }

  #followAlias(aliasId: string): void {
    const app = this.#resolve(aliasId);
    if (!app || this.#stopped) return;
    const claimed: Runner[] = [];
    for (const { runner, first } of [...(this.#firstRunners.get(aliasId) ?? [])]) {
      if (runner.identity.revisionId !== app.revision.revisionId || runner.phase !== 'ready') continue;
      first.claimed();
      this.#firstRunners.get(aliasId)?.forEach((entry, _same, all) => entry.runner === runner && all.delete(entry));
      claimed.push(runner);
    }
    if (this.#firstRunners.get(aliasId)?.size === 0) this.#firstRunners.delete(aliasId);
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
          platform: this.#platform(this.#deps.platform.hosts()),
        }),
    };
  }

  #platform(hosts: ClientHosts): RunnerPlatform {
    const { region, caBundlePath } = this.#deps.platform;
    return { hosts, region: region ?? 'local', hasCaBundle: caBundlePath !== undefined };
  }

  readonly #recentLogs = (runnerId: string): LogLine[] => this.#deps.runnerLogs.recent(runnerId, recentLines);

  /** From memory. null for an alias that does not exist. */
  #resolve(aliasId: string): ResolvedApp | null {
    const slash = aliasId.indexOf('/');
    const nickname = this.#nicknames.get(aliasId.slice(0, slash));
    return nickname === undefined ? null : this.#deps.apps.resolve(nickname, aliasId.slice(slash + 1));
  }

  #findRunner(accountId: string, runnerId: string): Runner {
    const runner = this.#lifecycle.get(runnerId);
    if (runner?.identity.accountId === accountId) return runner;
    throw new LannerError('runner_not_found', `Runner ${runnerId} was not found. It may have ended already.`);
  }

  /** A name that no app and no other run of this owner has. */
  #uniqueName(ownerNickname: string, name: string): string {
    const base =
      name
        .toLowerCase()
        .replace(/[^a-z0-9-]+/g, '-')
        .replace(/^-+|-+$/g, '')
        .slice(0, 40) || 'run';
    for (;;) {
      const candidate = `${base}-${randomUUID().slice(0, 8)}`;
      const isTaken = this.#runsByName.has(`${ownerNickname}/${candidate}`);
      if (!isTaken && !this.#deps.apps.resolve(ownerNickname, candidate)) return candidate;
    }
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
