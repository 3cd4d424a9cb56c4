import { freemem, totalmem } from 'node:os';
import { join } from 'node:path';
import { isLannerError, LannerError, type Clock, type Timer } from '@lanner/protocol';
import type { EnvironmentTree } from '../builds/environment-store.ts';
import type { Log } from '../lib/log.ts';
import type { AddressPool } from '../runners/address-pool.ts';
import { identityOf, type Isolation } from '../sandbox/isolation.ts';
import { startZygote, type RunnerConnection, type Zygote, type ZygoteOptions } from './zygote.ts';

export interface ZygotesOptions {
  isolation: () => Promise<Isolation>;
  addresses: AddressPool;
  clock: Clock;
  log: Log;
  /** Short folder for sockets. */
  socketFolder: string;
  /** Each zygote gets a folder below it. */
  workFolder: string;
  /** `<this>/<account>` is the account's /data. */
  dataFolder: string;
  caBundlePath: string | undefined;
  /** Zygotes kept warm without runners. Default 8. */
  maxIdle?: number;
  /** How long one is kept without runners. Default 10 minutes. */
  idleMs?: number;
  /** Starts one; tests put their own here. */
  start?: (options: ZygoteOptions) => Zygote;
}

export interface ForkOrder<T> {
  tree: EnvironmentTree;
  accountOrdinal: number;
  runnerId: string;
  prepare(zygote: Zygote): Promise<T>;
  signal: AbortSignal;
}

/** The warm zygotes of this machine, one per account and environment tree. */
export interface Zygotes {
  /** Has one ready soon; never throws. */
  warm(tree: EnvironmentTree, accountOrdinal: number): void;
  /**
   * Forks a runner from the environment's zygote, started when there is none. When the zygote turns out to be dead, a
   * fresh one is started once.
   * @param order.prepare runs while the fork does, with the zygote's folders; again for a fresh one.
   */
  fork<T>(order: ForkOrder<T>): Promise<{ zygote: Zygote; runner: RunnerConnection; prepared: T }>;
  /** Retires the zygote of a tree; `whenUnused` runs once no process uses it. */
  retire(tree: EnvironmentTree, whenUnused: () => void): void;
  /** Kills all of them and waits for their end. */
  stop(): Promise<void>;
}

interface Entry {
  zygote: Zygote;
  usedAtMs: number;
}

const sweepIntervalMs = 15_000;

export function createZygotes(options: ZygotesOptions): Zygotes {
  const { clock, log } = options;
  const maxIdle = options.maxIdle ?? 8;
  const idleMs = options.idleMs ?? 10 * 60_000;
  const start = options.start ?? startZygote;
  const warm = new Map<string, Promise<Entry>>();
  const living = new Set<Zygote>();
  let count = 0;
  let isStopped = false;
  let sweepTimer: Timer | undefined;

  const launch = async (tree: EnvironmentTree, accountOrdinal: number): Promise<Entry> => {
    const isolation = await options.isolation();
    if (isStopped) throw new LannerError('shutting_down', 'The supervisor is stopping.');
    count += 1;
    const id = `z${count}`;
    const startedAtMs = clock.monotonicMs();
    const address = isolation.addresses === 'kernel' ? options.addresses.allocate() : undefined;
    const zygote = start({
      id,
      tree,
      isolation,
      identity: identityOf(isolation, accountOrdinal),
      address,
      socketFolder: join(options.socketFolder, id),
      workFolder: join(options.workFolder, id),
      dataFolder: join(options.dataFolder, tree.accountId),
      caBundlePath: options.caBundlePath,
      clock,
      log,
    });
    living.add(zygote);
    void zygote.ended.then(() => {
      living.delete(zygote);
      if (address !== undefined) options.addresses.release(address);
    });
    void zygote.closed.then(() => {
      if (warm.get(tree.path) === entry) warm.delete(tree.path);
      log.info({ zygote: id, accountId: tree.accountId }, 'zygote closed');
    });
    zygote.ready.then(
      () =>
        log.info(
          { zygote: id, accountId: tree.accountId, tookMs: Math.round(clock.monotonicMs() - startedAtMs) },
          'zygote ready',
        ),
      (error: unknown) => log.warn({ zygote: id, accountId: tree.accountId, error }, 'zygote failed'),
    );
    const entry = warm.get(tree.path);
    return { zygote, usedAtMs: clock.monotonicMs() };
  };

  const obtain = (tree: EnvironmentTree, accountOrdinal: number): Promise<Entry> => {
    let entry = warm.get(tree.path);
    if (entry === undefined) {
      entry = launch(tree, accountOrdinal);
      warm.set(tree.path, entry);
      entry.catch(() => warm.delete(tree.path));
      sweepTimer ??= clock.setTimer(sweepIntervalMs, sweep);
    }
    return entry;
  };

  const sweep = (): void => {
    sweepTimer = undefined;
    void Promise.allSettled([...warm.values()]).then((results) => {
      const idle = results
        .flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
        .filter((entry) => entry.zygote.runnerCount === 0)
        .sort((left, right) => right.usedAtMs - left.usedAtMs);
      const allowed = isMemoryScarce() ? 0 : maxIdle;
      for (const [index, entry] of idle.entries()) {
        if (index >= allowed || clock.monotonicMs() - entry.usedAtMs >= idleMs) entry.zygote.retire();
      }
      if (!isStopped && warm.size > 0) sweepTimer ??= clock.setTimer(sweepIntervalMs, sweep);
    });
  };

  const forkOnce = async <T>({ tree, accountOrdinal, runnerId, prepare, signal }: ForkOrder<T>) => {
    const entry = await obtain(tree, accountOrdinal);
    entry.usedAtMs = clock.monotonicMs();
    const { zygote } = entry;
    const forked = zygote.fork(runnerId, signal);
    try {
      const [runner, prepared] = await Promise.all([forked, zygote.ready.then(() => prepare(zygote))]);
      void runner.connection.ended.then(() => {
        entry.usedAtMs = clock.monotonicMs();
      });
      return { zygote, runner, prepared };
    } catch (error) {
      forked.then(
        ({ connection }) => connection.close(),
        () => {},
      );
      throw error;
    }
  };

  return {
    warm(tree, accountOrdinal) {
      if (!isStopped) obtain(tree, accountOrdinal).catch(() => {});
    },
    async fork(order) {
      const before = await warm.get(order.tree.path)?.catch(() => undefined);
      try {
        return await forkOnce(order);
      } catch (error) {
        // A zygote that was warm may have died unnoticed, or its interpreter may be damaged: a fresh one decides.
        if (order.signal.aborted || isStopped || before === undefined || !isForkFailure(error)) throw error;
        before.zygote.retire();
        await before.zygote.closed;
        log.warn({ zygote: before.zygote.id, runnerId: order.runnerId, error }, 'fork failed, starting a fresh zygote');
        return forkOnce(order);
      }
    },
    retire(tree, whenUnused) {
      const users = [...living].filter((zygote) => zygote.tree.path === tree.path);
      void warm.get(tree.path)?.then(
        (entry) => entry.zygote.retire(),
        () => {},
      );
      warm.delete(tree.path);
      void Promise.all(users.map((zygote) => zygote.ended)).then(whenUnused);
    },
    async stop() {
      isStopped = true;
      sweepTimer?.cancel();
      await Promise.allSettled([...warm.values()]);
      for (const zygote of living) zygote.kill();
      await Promise.all([...living].map((zygote) => zygote.ended));
    },
  };
}

/** Less than a tenth of the machine's memory is left for apps: warm zygotes give theirs back. */
function isMemoryScarce(): boolean {
  return freemem() < totalmem() / 10;
}

/** Not what `prepare` found wrong with the order itself. */
function isForkFailure(error: unknown): boolean {
  return isLannerError(error) && error.code === 'internal_error';
}
