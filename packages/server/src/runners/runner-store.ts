/** Who a runner works for, and since when. */
export interface RunnerRecord {
  runnerId: string;
  accountId: string;
  environmentName: string;
  /** null for a run of a command. */
  aliasId: string | null;
  aliasName: string;
  revisionId: string;
  machineType: string;
  startReason: string;
  startedAtMs: number;
}

export interface RunnerEnd {
  endedAtMs: number;
  endReason: string;
  /** It was let go for another one that took its place. */
  wasReplaced: boolean;
}

export type EndedRunner = RunnerRecord & RunnerEnd;

/**
 * Runners at rest, for the listings of those that are over. Nobody waits for `begin` and `end`: they join the next commit, in the
 * order in which they were called.
 */
export interface RunnerStore {
  /** Notes a runner that lives. One that is known stays as it was noted first, and lives, whatever was said of its end. */
  begin(runner: RunnerRecord): Promise<void>;
  /** False: it is not known, or had ended already; then nothing changes. */
  end(runnerId: string, end: RunnerEnd): Promise<boolean>;
  /** Ends every runner that lives and is not among these. Resolves with how many, durably. */
  endOthers(liveRunnerIds: readonly string[], end: Omit<RunnerEnd, 'wasReplaced'>): Promise<number>;
  /** The account's runners that ended at or after a moment: the latest `limit` of them, oldest end first. */
  listEnded(
    accountId: string,
    filter: { aliasName: string | null; endedSinceMs: number; limit: number },
  ): Promise<EndedRunner[]>;
  /** null: the account has none of that id that ended at or after the moment. */
  findEnded(accountId: string, runnerId: string, endedSinceMs: number): Promise<EndedRunner | null>;
  /**
   * Removes runners that ended before the moment, and of each account the older ones beyond its latest `keptPerAccount`: at
   * most `limit` of both together. Resolves with how many.
   */
  sweep(endedBeforeMs: number, keptPerAccount: number, limit: number): Promise<number>;
}
