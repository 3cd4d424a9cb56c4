import type { ResolvedApp } from '../apps/apps.ts';
import type { RunnerView } from './fleet.ts';

/** Starts that wait for a backoff to end: listings show them as runners to come (`FAILURE_DELAY`). */
export class HeldStarts {
  #views: RunnerView[] = [];

  get views(): readonly RunnerView[] {
    return this.#views;
  }

  /** The id that a start is listed with already, so that it keeps it when it happens. */
  takeId(): string | undefined {
    return this.#views.shift()?.runnerId;
  }

  clear(): void {
    this.#views = [];
  }

  /** As many as are held back now. */
  show(count: number, { alias, revision }: ResolvedApp, newRunnerId: () => string, nowMs: number): void {
    while (this.#views.length > count) this.#views.pop();
    while (this.#views.length < count) {
      this.#views.push({
        runnerId: newRunnerId(),
        accountId: alias.accountId,
        aliasId: alias.aliasId,
        aliasName: alias.aliasName,
        revisionId: revision.revisionId,
        state: 'FAILURE_DELAY',
        replacement: 'NO_REPLACE',
        inFlightRequests: 0,
        leases: [],
        expiresInMs: null,
        startedAtMs: nowMs,
        endedAtMs: null,
        machineType: alias.settings.machineTypes[0] ?? 'XS',
        startReason: 'backoff',
        endReason: null,
      });
    }
  }
}
