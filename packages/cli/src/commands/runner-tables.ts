import type { RunnerInfo, RunnerState } from '@lanner/client';
import type { CommandContext } from '../command/command-context.ts';
import type { OptionSpec } from '../command/command-spec.ts';
import { printJson, printTable } from '../command/render.ts';
import { pythonDuration } from '../terminal/python-text.ts';
import type { Column } from '../terminal/table.ts';
import { nameOf } from './app-tables.ts';

const stateNames = ['all', 'idle', 'running', 'pending', 'setup', 'crash_backoff', 'terminated'] as const;

export const stateOption: OptionSpec = {
  flags: '--state <states...>',
  summary: "Filter by runner state(s). Choose one or more, or 'all' (default).",
  choices: stateNames,
};

/** The states to ask the client for; `undefined` is all. */
export function statesOf(chosen: readonly string[] | undefined): RunnerState[] | undefined {
  if (chosen === undefined || chosen.includes('all')) return undefined;
  return chosen.map((state) => state.toUpperCase() as RunnerState);
}

const columns: readonly Column<RunnerInfo>[] = [
  { title: 'Alias', value: (runner) => runner.alias, whole: true },
  { title: 'Machine Type', value: (runner) => runner.machineType },
  {
    title: 'Runner ID',
    value: (runner) => runner.runnerId,
    whole: true,
    // lost: the platform does not see it among its machines any more
    paint: (text, runner, style) => (runner.externalMetadata['present_in_group'] === false ? style('red', text) : text),
  },
  { title: 'In Flight Requests', value: inFlight },
  {
    title: 'Expires In',
    value: ({ expirationCountdown }) => (expirationCountdown === null ? 'N/A' : `${expirationCountdown}s`),
  },
  {
    title: 'Uptime',
    value: ({ uptime }) => `${pythonDuration(Math.trunc(uptime))} (${Math.trunc(uptime)}s)`,
  },
  { title: 'Revision', value: (runner) => runner.revision, whole: true },
  { title: 'State', value: (runner) => nameOf(runner.state) + (runner.replacement === 'WILL_REPLACE' ? ' (*)' : '') },
];

/** Requests in hand, and in parentheses how many of them are on no lease that is known. */
function inFlight({ inFlightRequests, leases }: RunnerInfo): string {
  const unknown = inFlightRequests - leases.filter(({ requestId }) => requestId !== null).length;
  return unknown > 0 ? `${inFlightRequests} (${unknown})` : String(inFlightRequests);
}

/** Counters, the runners, and the requests they work on: `runners list` and `apps runners`. */
export function printRunners(
  { terminal }: CommandContext,
  runners: readonly RunnerInfo[],
  view: { withAlias: boolean },
): void {
  const count = (...states: RunnerState[]): number =>
    runners.filter(({ state }) => states.includes(state as RunnerState)).length;
  const waiting = count('PENDING') + count('SETUP');
  // `apps runners` counts ended runners in, `runners list` does not: both as the official command
  const ended = view.withAlias ? count('DEAD', 'TERMINATED') : 0;
  terminal.print(`Runners: ${runners.length - waiting - ended}`);
  terminal.print(`Runners Pending: ${count('PENDING')}`);
  terminal.print(`Runners Setting Up: ${count('SETUP')}`);
  const failing = count('CRASH_BACKOFF');
  if (failing > 0) {
    terminal.print(`${terminal.style('red', 'Runners being delayed after startup failure:')} ${failing}`);
    terminal.print(terminal.style('dim', '  Check setup() and logs for errors during startup.'));
  }
  printTable(terminal, view.withAlias ? columns : columns.slice(1), runners);
  if (view.withAlias && runners.some(({ replacement }) => replacement === 'WILL_REPLACE')) {
    terminal.print(terminal.style('dim', '(*) Runner has been scheduled for replacement'));
  }
  printLeases(terminal, runners);
}

function printLeases(terminal: CommandContext['terminal'], runners: readonly RunnerInfo[]): void {
  const nowMs = Date.now();
  const leases = runners.flatMap(({ runnerId, leases: held }) =>
    held.filter(({ requestId }) => requestId !== null).map((lease) => ({ runnerId, ...lease })),
  );
  terminal.print(`Requests: ${leases.length}`);
  printTable(
    terminal,
    [
      { title: 'Runner ID', value: ({ runnerId }) => runnerId, whole: true },
      { title: 'Request ID', value: ({ requestId }) => requestId ?? '', whole: true },
      { title: 'Caller ID', value: ({ callerUserId }) => callerUserId ?? '', whole: true },
      {
        title: 'Time Running',
        value: ({ leasedAt }) =>
          leasedAt === null ? '' : pythonDuration(Math.max(0, nowMs - leasedAt.getTime()) / 1000),
      },
    ],
    leases,
  );
}

/** Runners under the official command's field names. */
export function runnersToJson(runners: readonly RunnerInfo[]): { runners: Record<string, unknown>[] } {
  return {
    runners: runners.map((runner) => ({
      alias: runner.alias,
      machine_type: runner.machineType,
      runner_id: runner.runnerId,
      in_flight_requests: runner.inFlightRequests,
      expiration_countdown: runner.expirationCountdown,
      uptime_seconds: Math.trunc(runner.uptime),
      revision: runner.revision,
      state: nameOf(runner.state),
      replacement: nameOf(runner.replacement),
    })),
  };
}

/** GPUs by type, most first. */
export function printGpus(
  { terminal }: CommandContext,
  usage: { gpus: Record<string, number>; total: number },
  output: 'pretty' | 'json',
): void {
  const sorted = Object.entries(usage.gpus).sort(([, a], [, b]) => b - a);
  if (output === 'json') return printJson(terminal, { gpus: Object.fromEntries(sorted), total: usage.total });
  printTable(
    terminal,
    [
      { title: 'Type', value: ([type]) => type },
      { title: 'Count', value: ([, count]) => String(count), align: 'right' },
    ],
    sorted,
  );
  terminal.print(`Total: ${usage.total}`);
}
