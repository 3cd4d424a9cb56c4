import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import {
  defaultScaleSettings,
  type Alias,
  type CodeSpec,
  type Revision,
  type ScaleSettings,
} from '../../apps/app-types.ts';
import type { Apps, ResolvedApp } from '../../apps/apps.ts';
import type { Account } from '../../auth/accounts.ts';
import type { Keys } from '../../auth/keys.ts';
import { createChangeFeed, type ChangeFeed } from '../../lib/change-feed.ts';
import { createVirtualClock, type VirtualClock } from '../../lib/virtual-clock.ts';
import type { RunnerLogs } from '../../observe/runner-logs.ts';
import { InMemoryDriver } from '../../runners/testing/in-memory-driver.ts';
import { createInMemoryRunnerStore } from '../../runners/testing/in-memory-runner-store.ts';
import type { SlotRequest } from '../dispatcher.ts';
import type { LogLine } from '../fleet.ts';
import { createScheduler, type Scheduler, type SchedulerDeps } from '../scheduler.ts';

export const testAccount: Account = {
  accountId: 'acc-1',
  nickname: 'owner',
  fullName: 'Owner',
  isPersonal: true,
  createdAtMs: 0,
  ordinal: 1,
};

export const testCode: CodeSpec = {
  environment: { kind: 'virtualenv', configuration: { requirements: [] } },
  callable: { kind: 'entrypoint', entrypoint: 'app.py::App' },
  runOnMainThread: true,
  exposedPort: 8080,
  metricsPort: null,
  healthCheck: null,
  files: [],
  dataMounts: [],
  secretNames: null,
  terminationGraceSeconds: 5,
  numGpus: null,
};

/** A scheduler whose surroundings live in memory and whose time a test owns. */
export interface SchedulerHarness {
  clock: VirtualClock;
  driver: InMemoryDriver;
  scheduler: Scheduler;
  feed: ChangeFeed;
  keys: { created: string[]; revoked: string[]; keptSets: string[][] };
  /** Creates or replaces an alias (with a new revision unless `keepRevision`) and publishes the change. */
  deploy(
    name: string,
    settings?: Partial<ScaleSettings>,
    options?: { keepRevision?: boolean; code?: Partial<CodeSpec>; authMode?: Alias['authMode'] },
  ): Alias;
  /** A revision that no alias points to yet. */
  addRevision(name: string, settings?: Partial<ScaleSettings>, code?: Partial<CodeSpec>): Revision;
  /** Points the alias at a revision and publishes the change. */
  point(name: string, revision: Revision, settings?: Partial<ScaleSettings>, authMode?: Alias['authMode']): Alias;
  remove(name: string): void;
  request(name: string, options?: Partial<SlotRequest>): SlotRequest;
  /** Another scheduler on the same surroundings: a restarted server. */
  restart(overrides?: Partial<SchedulerDeps>): Scheduler;
}

export function createSchedulerHarness(overrides: Partial<SchedulerDeps> = {}): SchedulerHarness {
  const clock = createVirtualClock();
  const driver = new InMemoryDriver(clock);
  const feed = createChangeFeed((error) => {
    throw error;
  });
  const apps = new Map<string, ResolvedApp>();
  const revisions = new Map<string, Revision>();
  const keys: SchedulerHarness['keys'] = { created: [], revoked: [], keptSets: [] };
  const logs = new Map<string, LogLine[]>();

  const deps: SchedulerDeps = {
    apps: {
      resolve: (owner: string, name: string) => (owner === testAccount.nickname ? (apps.get(name) ?? null) : null),
      all: () => [...apps.values()],
      getRevision: async (_accountId: string, revisionId: string) => revisions.get(revisionId) ?? null,
    } as unknown as Apps,
    accounts: {
      get: async (accountId) => (accountId === testAccount.accountId ? testAccount : null),
      byNickname: async () => testAccount,
      list: async () => [testAccount],
      create: async () => testAccount,
    },
    keys: {
      createRunnerKey: async (_accountId: string, runnerId: string) => {
        keys.created.push(runnerId);
        return { keyId: `key-${runnerId}`, keySecret: 'secret' };
      },
      revokeRunnerKey: async (runnerId: string) => void keys.revoked.push(runnerId),
      keepOnlyRunnerKeys: async (live: ReadonlySet<string>) => void keys.keptSets.push([...live]),
    } as unknown as Keys,
    secrets: { valuesForRunner: async () => ({}) } as unknown as SchedulerDeps['secrets'],
    driver,
    changeFeed: feed,
    clock,
    log: pino({ level: 'silent' }),
    runnerLogs: {
      append: (runnerId: string, _owner: unknown, line: LogLine) =>
        void logs.set(runnerId, [...(logs.get(runnerId) ?? []), line]),
      recent: (runnerId: string, count: number) => (logs.get(runnerId) ?? []).slice(-count),
    } as unknown as RunnerLogs,
    runnerStore: createInMemoryRunnerStore(),
    modeOf: async () => 0o100644,
    platform: {
      hosts: () => ({
        grpcHost: 'g',
        restHost: 'r',
        runHost: 'u',
        queueHost: 'q',
        wsHost: 'w',
        cdnHost: 'c',
        kvHost: 'k',
      }),
    },
    checkPort: async () => true,
    ...overrides,
  };

  const harness: SchedulerHarness = {
    clock,
    driver,
    feed,
    keys,
    scheduler: createScheduler(deps),
    addRevision(name, settings = {}, code = {}) {
      const revision: Revision = {
        revisionId: randomUUID(),
        accountId: testAccount.accountId,
        environmentName: 'main',
        aliasName: name,
        createdAtMs: clock.nowMs(),
        code: { ...testCode, ...code },
        settings: { ...defaultScaleSettings, ...settings },
        metadata: null,
        sourceCode: null,
        privateLogs: false,
        skipRetryConditions: [],
        retryConfig: null,
      };
      revisions.set(revision.revisionId, revision);
      return revision;
    },
    point(name, revision, settings = revision.settings, authMode = 'private') {
      const alias: Alias = {
        aliasId: `${testAccount.accountId}/${name}`,
        accountId: testAccount.accountId,
        environmentName: 'main',
        aliasName: name,
        revisionId: revision.revisionId,
        authMode,
        settings: { ...defaultScaleSettings, ...settings },
        createdAtMs: 0,
        updatedAtMs: 0,
      };
      apps.set(name, { alias, revision, ownerNickname: testAccount.nickname });
      feed.publish({ type: 'alias.changed', aliasId: alias.aliasId, accountId: alias.accountId, aliasName: name });
      return alias;
    },
    deploy(name, settings = {}, options = {}) {
      const present = apps.get(name)?.revision;
      const revision = options.keepRevision && present ? present : harness.addRevision(name, settings, options.code);
      return harness.point(name, revision, settings, options.authMode);
    },
    remove(name) {
      const { alias } = apps.get(name)!;
      apps.delete(name);
      feed.publish({ type: 'alias.deleted', aliasId: alias.aliasId, accountId: alias.accountId, aliasName: name });
    },
    request(name, options = {}) {
      return {
        targetId: `${testAccount.accountId}/${name}`,
        signal: new AbortController().signal,
        startDeadlineMs: null,
        ...options,
      };
    },
    restart: (more = {}) => createScheduler({ ...deps, ...more }),
  };
  return harness;
}

/** What became of a promise, without waiting for it: call after the clock has settled. */
export function track<T>(promise: Promise<T>): { value: T | undefined; error: unknown; isSettled: boolean } {
  const state: { value: T | undefined; error: unknown; isSettled: boolean } = {
    value: undefined,
    error: undefined,
    isSettled: false,
  };
  promise.then(
    (value) => Object.assign(state, { value, isSettled: true }),
    (error: unknown) => Object.assign(state, { error, isSettled: true }),
  );
  return state;
}
