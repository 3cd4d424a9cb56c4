/** What became of the requests of a chaos campaign. Pure: facts in, counts out. */

export type Victim = 'server' | 'supervisor' | 'runner';

export interface CampaignFacts {
  /** Request id → number, of every acknowledged submit. */
  acknowledged: ReadonlyMap<string, number>;
  results: readonly { requestId: string; verdict: 'OK' | 'WRONG' | 'LOST'; detail: string }[];
  /** Every execution that began, wall clock. */
  executions: readonly { requestId: string; number: number; atMs: number }[];
  kills: readonly { victim: Victim; atMs: number }[];
}

export interface Verdict {
  acknowledged: number;
  /** Acknowledged ids without a final result of the right input. */
  lost: string[];
  /** Second executions that no kill of a runner or supervisor explains. */
  doubled: string[];
  /** Second executions that the retry rules allow. */
  repeated: number;
  /** Executed without an acknowledgement: the caller was cut off from the answer. */
  unacknowledged: number;
}

/** A kill explains a repeat when it fell between the beginnings of the two executions; clocks are read a moment apart. */
const toleranceMs = 50;

export function judge(facts: CampaignFacts): Verdict {
  const { acknowledged, results, executions, kills } = facts;
  const right = new Set(results.filter(({ verdict }) => verdict === 'OK').map(({ requestId }) => requestId));
  const lost = [...acknowledged.keys()].filter((requestId) => !right.has(requestId));
  const begun = Map.groupBy(executions, ({ requestId }) => requestId);
  const doubled: string[] = [];
  let repeated = 0;
  for (const [requestId, all] of begun) {
    const inOrder = all.toSorted((a, b) => a.atMs - b.atMs);
    for (const [index, next] of inOrder.slice(1).entries()) {
      const first = inOrder[index]!;
      const isExplained = kills.some(
        ({ victim, atMs }) =>
          victim !== 'server' && atMs >= first.atMs - toleranceMs && atMs <= next.atMs + toleranceMs,
      );
      if (isExplained) repeated += 1;
      else doubled.push(requestId);
    }
  }
  const unacknowledged = [...begun.keys()].filter((requestId) => !acknowledged.has(requestId)).length;
  return { acknowledged: acknowledged.size, lost, doubled, repeated, unacknowledged };
}
