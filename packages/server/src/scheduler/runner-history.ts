import type { Clock } from '@lanner/protocol';
import type { Logger } from 'pino';
import type { EndedRunner, RunnerEnd, RunnerRecord, RunnerStore } from '../runners/runner-store.ts';
import { runnerRetention } from '../runners/sweep-runners.ts';
import type { RunnerView } from './fleet.ts';
import type { Runner } from './runner.ts';

export interface RunnerHistoryDeps {
  store: RunnerStore;
  clock: Clock;
  log: Logger;
}

/**
 * Which runners there were. The store remembers them; nothing that starts, stops or uses a runner waits for it, and a history that
 * cannot be written stops nothing.
 */
export class RunnerHistory {
  readonly #deps: RunnerHistoryDeps;
  /** Ended a moment ago, on their way to the store. */
  readonly #unwritten = new Map<string, EndedRunner>();

  constructor(deps: RunnerHistoryDeps) {
    this.#deps = deps;
  }

  /** A runner was launched or taken over: if it dies together with us, the next server knows of it. */
  began(runner: Runner): void {
    void this.#note(this.#deps.store.begin(toRecord(runner)));
  }

  /** A runner of ours is over. */
  ended(runner: Runner): void {
    const { runnerId, replacement, endReason } = runner;
    const end: RunnerEnd = {
      endedAtMs: runner.endedAtMs ?? this.#deps.clock.nowMs(),
      endReason: endReason ?? 'stopped',
      wasReplaced: replacement === 'DID_REPLACE',
    };
    this.#unwritten.set(runnerId, { ...toRecord(runner), ...end });
    void this.#note(this.#deps.store.end(runnerId, end)).finally(() => this.#unwritten.delete(runnerId));
  }

  /** A runner that nobody works with any more is over; one that is not known, or known to be over, stays so. */
  endedUnseen(runnerId: string, endedAtMs: number, endReason: string): void {
    void this.#note(this.#deps.store.end(runnerId, { endedAtMs, endReason, wasReplaced: false }));
  }

  /** None but these live. When the others ended nobody saw: by now at the latest. */
  async endedBut(liveRunnerIds: readonly string[], endReason: string): Promise<void> {
    await this.#note(this.#deps.store.endOthers(liveRunnerIds, { endedAtMs: this.#deps.clock.nowMs(), endReason }));
  }

  /** Runners of the account that ended at or after the moment, a day ago at most; oldest end first. */
  async list(accountId: string, filter: { aliasName?: string; endedSinceMs: number }): Promise<RunnerView[]> {
    const { aliasName = null } = filter;
    const endedSinceMs = this.#earliest(filter.endedSinceMs);
    // Looked at before the store is: what is written meanwhile is in both rather than in none.
    const unwritten = [...this.#unwritten.values()].filter(
      (runner) =>
        runner.accountId === accountId &&
        runner.endedAtMs >= endedSinceMs &&
        (aliasName === null || runner.aliasName === aliasName),
    );
    const { store } = this.#deps;
    const written = await store.listEnded(accountId, { aliasName, endedSinceMs, limit: runnerRetention.perAccount });
    const known = new Set(written.map(({ runnerId }) => runnerId));
    return [...written, ...unwritten.filter(({ runnerId }) => !known.has(runnerId))].map(toEndedView);
  }

  /** A runner of the account that ended within the last day; else null. */
  async find(accountId: string, runnerId: string): Promise<RunnerView | null> {
    const unwritten = this.#unwritten.get(runnerId);
    if (unwritten?.accountId === accountId) return toEndedView(unwritten);
    const found = await this.#deps.store.findEnded(accountId, runnerId, this.#earliest(0));
    return found && toEndedView(found);
  }

  async #note(written: Promise<unknown>): Promise<void> {
    try {
      await written;
    } catch (error) {
      this.#deps.log.warn({ err: error }, 'the history of runners could not be written; it may lack one');
    }
  }

  #earliest(sinceMs: number): number {
    return Math.max(sinceMs, this.#deps.clock.nowMs() - runnerRetention.keptMs);
  }
}

function toRecord({ identity, startedAtMs }: Runner): RunnerRecord {
  const { runnerId, accountId, environmentName, aliasId, aliasName, revisionId, machineType, startReason } = identity;
  return {
    ...{ runnerId, accountId, environmentName, aliasId, aliasName, revisionId, machineType, startReason },
    startedAtMs,
  };
}

function toEndedView(runner: EndedRunner): RunnerView {
  const { environmentName: _, wasReplaced, ...known } = runner;
  return {
    ...known,
    state: 'TERMINATED',
    replacement: wasReplaced ? 'DID_REPLACE' : 'NO_REPLACE',
    inFlightRequests: 0,
    leases: [],
    expiresInMs: null,
  };
}
