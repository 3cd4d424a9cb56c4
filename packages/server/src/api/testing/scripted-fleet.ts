import { LannerError, type RunnerExit, type RunnerResult } from '@lanner/protocol';
import type { EphemeralRun, Fleet, LogLine, RunnerView } from '../../scheduler/fleet.ts';

type RunEvent = ReturnType<EphemeralRun['events']> extends AsyncIterable<infer Event> ? Event : never;
type StartRunInput = Parameters<Fleet['startRun']>[0];
type FirstRunnerInput = Parameters<Fleet['startFirstRunner']>[0];

/** A fleet that does what a test wrote down, and writes down what it was asked. */
export interface ScriptedFleet extends Fleet {
  runners: RunnerView[];
  /** Every call that changes something, e.g. `rollout acc/app force`. */
  calls: string[];
  startedRuns: StartRunInput[];
  endedRuns: string[];
  /** What the next runs say. Default: one line, then the pickled bytes `result`. */
  runEvents: (input: StartRunInput, signal: AbortSignal) => AsyncIterable<RunEvent>;
  /** What happens when a first runner starts. Default: ready at once. */
  onFirstRunner: (input: FirstRunnerInput) => Promise<{ runnerId: string }>;
  firstRunners: FirstRunnerInput[];
}

export const finishedExit: RunnerExit = { reason: 'finished', code: 0, signal: null, message: 'The code returned.' };

export const pickledResult: RunnerResult = { method: 'cloudpickle', sizeBytes: 6, wasRaised: false };

export function aLogLine(line: string, more: Partial<LogLine> = {}): LogLine {
  return { atMs: 1_700_000_000_123, source: 'user', level: 'stdout', line, ...more };
}

export function aRunnerView(more: Partial<RunnerView> = {}): RunnerView {
  return {
    runnerId: 'runner-1',
    accountId: '',
    aliasId: null,
    aliasName: 'hello',
    revisionId: 'rev-1',
    state: 'RUNNING',
    replacement: 'NO_REPLACE',
    inFlightRequests: 0,
    leases: [],
    expiresInMs: null,
    startedAtMs: 1_700_000_000_000,
    endedAtMs: null,
    machineType: 'XS',
    startReason: 'need',
    endReason: null,
    ...more,
  };
}

export function createScriptedFleet(): ScriptedFleet {
  const find = (accountId: string, runnerId: string): RunnerView => {
    const runner = fleet.runners.find(
      (candidate) => candidate.runnerId === runnerId && candidate.accountId === accountId,
    );
    if (runner === undefined) throw new LannerError('runner_not_found', `There is no ${runnerId}.`);
    return runner;
  };
  const list = (accountId: string, aliasName: string | undefined, endedSinceMs: number): RunnerView[] =>
    fleet.runners.filter(
      (runner) =>
        runner.accountId === accountId &&
        (aliasName === undefined || runner.aliasName === aliasName) &&
        (runner.endedAtMs === null || runner.endedAtMs >= endedSinceMs),
    );
  const fleet: ScriptedFleet = {
    runners: [],
    calls: [],
    startedRuns: [],
    endedRuns: [],
    firstRunners: [],
    async *runEvents() {
      yield { type: 'log', line: aLogLine('working') };
      yield { type: 'outcome', result: pickledResult, exit: finishedExit, resultBytes: Buffer.from('result') };
    },
    onFirstRunner: async () => ({ runnerId: 'first' }),
    async startFirstRunner(input) {
      fleet.firstRunners.push(input);
      return fleet.onFirstRunner(input);
    },
    async rollout(aliasId, force) {
      fleet.calls.push(`rollout ${aliasId}${force ? ' force' : ''}`);
    },
    async startRun(input) {
      fleet.startedRuns.push(input);
      const runId = `run-${fleet.startedRuns.length}`;
      return {
        runId,
        runnerId: `runner-of-${runId}`,
        publicName: input.code.exposedPort === null ? null : `${input.name}-${runId}`,
        events: (signal) => fleet.runEvents(input, signal),
        async end() {
          fleet.endedRuns.push(runId);
        },
      };
    },
    listRunners: (accountId, { aliasName }) => list(accountId, aliasName, Infinity),
    listRunnersSince: async (accountId, { aliasName, endedSinceMs }) => list(accountId, aliasName, endedSinceMs),
    findRunner: async (accountId, runnerId) =>
      fleet.runners.find((runner) => runner.accountId === accountId && runner.runnerId === runnerId) ?? null,
    async stopRunner(accountId, runnerId, replaceFirst) {
      find(accountId, runnerId);
      fleet.calls.push(`stop ${runnerId}${replaceFirst ? ' replace first' : ''}`);
    },
    holdRunner(accountId, runnerId) {
      find(accountId, runnerId);
      fleet.calls.push(`hold ${runnerId}`);
      return () => void fleet.calls.push(`let go ${runnerId}`);
    },
    async killRunner(accountId, runnerId) {
      find(accountId, runnerId);
      fleet.calls.push(`kill ${runnerId}`);
    },
    countRunners: (aliasId) =>
      fleet.runners.filter((runner) => runner.aliasId === aliasId && runner.endedAtMs === null).length,
    isRolling: () => false,
  };
  return fleet;
}
