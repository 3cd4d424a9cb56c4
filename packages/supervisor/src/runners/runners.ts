import { LannerError, type RunnerSnapshot, type StartRunnerRequest, type StartRunnerResponse } from '@lanner/protocol';
import type { SessionPlace } from '../sessions/session-place.ts';
import type { AddressPool } from './address-pool.ts';
import { Runner, type RunnerDependencies } from './runner.ts';

/** All runners of this supervisor, ended ones until their end is acknowledged. */
export interface Runners {
  /**
   * Starts a runner and answers at once. The same id again answers as before: a caller that lost the answer may repeat.
   * @throws LannerError `shutting_down`, `no_capacity`.
   */
  start(request: StartRunnerRequest): StartRunnerResponse;
  /** @throws LannerError `runner_not_found` */
  stop(runnerId: string, graceMs: number): void;
  /** @throws LannerError `runner_not_found` */
  kill(runnerId: string): void;
  /**
   * Where a live runner is reached.
   * @throws LannerError `runner_not_found`, also when it has exited.
   */
  reach(runnerId: string): { runnerId: string; host: string };
  /** @throws LannerError `runner_not_found`, also when it has no process (any more). */
  sessionPlace(runnerId: string): Promise<SessionPlace>;
  snapshots(): RunnerSnapshot[];
  /** Their `runner.exited` was acknowledged. */
  forget(runnerIds: readonly string[]): void;
  /** Ends all of them, no longer than `graceMs` with SIGTERM, and waits until they are gone. */
  stopAll(graceMs: number): Promise<void>;
}

export function createRunners(addresses: AddressPool, dependencies: RunnerDependencies): Runners {
  const runners = new Map<string, Runner>();
  let isStopping = false;

  const get = (runnerId: string): Runner => {
    const runner = runners.get(runnerId);
    if (runner === undefined) throw new LannerError('runner_not_found', `This supervisor has no runner ${runnerId}.`);
    return runner;
  };

  return {
    start(request) {
      const known = runners.get(request.runnerId);
      if (known !== undefined) return { runnerId: request.runnerId, address: known.address };
      if (isStopping) throw new LannerError('shutting_down', 'The supervisor is stopping and starts no more runners.');
      const address = addresses.allocate();
      const runner = new Runner(request, address, dependencies);
      runners.set(request.runnerId, runner);
      void runner.exited.then(() => addresses.release(address));
      runner.start();
      return { runnerId: request.runnerId, address };
    },
    stop: (runnerId, graceMs) => get(runnerId).stop(graceMs),
    kill: (runnerId) => get(runnerId).kill(),
    reach(runnerId) {
      const runner = get(runnerId);
      if (runner.phase === 'exited') throw new LannerError('runner_not_found', `Runner ${runnerId} has exited.`);
      return { runnerId, host: runner.address };
    },
    sessionPlace: async (runnerId) => get(runnerId).sessionPlace(),
    snapshots: () => [...runners.values()].map((runner) => runner.snapshot),
    forget(runnerIds) {
      for (const runnerId of runnerIds) {
        if (runners.get(runnerId)?.phase === 'exited') runners.delete(runnerId);
      }
    },
    async stopAll(graceMs) {
      isStopping = true;
      for (const runner of runners.values()) runner.stop(graceMs);
      await Promise.all([...runners.values()].map((runner) => runner.exited));
    },
  };
}
