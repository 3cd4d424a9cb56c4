import type { EndedRunner, RunnerEnd, RunnerRecord, RunnerStore } from '../runner-store.ts';

interface Entry {
  runner: RunnerRecord;
  end: RunnerEnd | null;
}

/** For tests: runners at rest that no disk is needed for. It passes the suite of the real ones. */
export function createInMemoryRunnerStore(): RunnerStore {
  /** In the order in which they began. */
  const entries = new Map<string, Entry>();

  /** Oldest end first. */
  const ended = (): EndedRunner[] =>
    [...entries.values()]
      .flatMap(({ runner, end }) => (end ? [{ ...runner, ...end }] : []))
      .toSorted((one, other) => one.endedAtMs - other.endedAtMs);

  return {
    async begin(runner) {
      const known = entries.get(runner.runnerId);
      if (known) known.end = null;
      else entries.set(runner.runnerId, { runner, end: null });
    },

    async end(runnerId, end) {
      const entry = entries.get(runnerId);
      if (!entry || entry.end) return false;
      entry.end = end;
      return true;
    },

    async endOthers(liveRunnerIds, end) {
      const others = [...entries.values()].filter(
        (entry) => entry.end === null && !liveRunnerIds.includes(entry.runner.runnerId),
      );
      for (const entry of others) entry.end = { ...end, wasReplaced: false };
      return others.length;
    },

    listEnded: async (accountId, { aliasName, endedSinceMs, limit }) =>
      ended()
        .filter((runner) => runner.accountId === accountId && runner.endedAtMs >= endedSinceMs)
        .filter((runner) => aliasName === null || runner.aliasName === aliasName)
        .slice(-limit),

    findEnded: async (accountId, runnerId, endedSinceMs) =>
      ended().find(
        (runner) => runner.accountId === accountId && runner.runnerId === runnerId && runner.endedAtMs >= endedSinceMs,
      ) ?? null,

    async sweep(endedBeforeMs, keptPerAccount, limit) {
      const perAccount = Object.values(Object.groupBy(ended(), (runner) => runner.accountId)).map((each) => each!);
      const old = ended().filter((runner) => runner.endedAtMs < endedBeforeMs);
      const tooMany = perAccount.flatMap((each) => each.slice(0, Math.max(0, each.length - keptPerAccount)));
      const removed = [...new Set([...old, ...tooMany].map(({ runnerId }) => runnerId))].slice(0, limit);
      for (const runnerId of removed) entries.delete(runnerId);
      return removed.length;
    },
  };
}
