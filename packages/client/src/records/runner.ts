import {
  RunnerInfo_ReplaceState,
  RunnerInfo_State,
  type RunnerInfo as RunnerMessage,
} from '@lanner/protocol/controller';
import { nameOf, type Unknown } from './known-or-number.ts';

/**
 * What a runner is doing. `DEAD` is the older word for `TERMINATED`.
 *
 * @example
 * ```ts
 * const ended: RunnerState[] = ['TERMINATED', 'DEAD'];
 * ```
 */
export type RunnerState =
  | 'RUNNING'
  | 'PENDING'
  | 'SETUP'
  | 'DOCKER_PULL'
  | 'DEAD'
  | 'DRAINING'
  | 'TERMINATING'
  | 'TERMINATED'
  | 'IDLE'
  | 'CRASH_BACKOFF';

/**
 * Whether a runner is being replaced by another.
 *
 * @example
 * ```ts
 * const replaced: ReplaceState = 'DID_REPLACE';
 * ```
 */
export type ReplaceState = 'NO_REPLACE' | 'WILL_REPLACE' | 'DID_REPLACE';

/**
 * A request that a runner has in hand.
 *
 * @example
 * ```ts
 * const [runner] = await client.runners.list();
 * const leases: RunnerLease[] = runner?.leases ?? [];
 * console.log(leases.map(({ requestId }) => requestId));
 * ```
 */
export interface RunnerLease {
  requestId: string | null;
  callerUserId: string | null;
  leasedAt: Date | null;
}

/**
 * One process or container of an app.
 *
 * @example
 * ```ts
 * const runners: RunnerInfo[] = await client.runners.list();
 * console.log(runners.map(({ alias, state, uptime }) => [alias, state, uptime]));
 * ```
 */
export interface RunnerInfo {
  runnerId: string;
  /** App it belongs to, without owner. */
  alias: string;
  revision: string;
  state: RunnerState | Unknown;
  machineType: string;
  inFlightRequests: number;
  /** Seconds until it ends for idleness; `null` while it is busy or needed. */
  expirationCountdown: number | null;
  /** Seconds since it started. */
  uptime: number;
  replacement: ReplaceState | Unknown;
  leases: RunnerLease[];
  /** Everything else the platform tells about it, as sent. */
  externalMetadata: Record<string, unknown>;
}

const states: Readonly<Record<number, RunnerState>> = {
  [RunnerInfo_State.RUNNING]: 'RUNNING',
  [RunnerInfo_State.PENDING]: 'PENDING',
  [RunnerInfo_State.SETUP]: 'SETUP',
  [RunnerInfo_State.DEAD]: 'DEAD',
  [RunnerInfo_State.DOCKER_PULL]: 'DOCKER_PULL',
  [RunnerInfo_State.DRAINING]: 'DRAINING',
  [RunnerInfo_State.TERMINATING]: 'TERMINATING',
  [RunnerInfo_State.TERMINATED]: 'TERMINATED',
  [RunnerInfo_State.IDLE]: 'IDLE',
  [RunnerInfo_State.FAILURE_DELAY]: 'CRASH_BACKOFF',
};

const replacements: Readonly<Record<number, ReplaceState>> = {
  [RunnerInfo_ReplaceState.NO_REPLACE]: 'NO_REPLACE',
  [RunnerInfo_ReplaceState.WILL_REPLACE]: 'WILL_REPLACE',
  [RunnerInfo_ReplaceState.DID_REPLACE]: 'DID_REPLACE',
};

/** @internal */
export function toRunnerInfo(runner: RunnerMessage): RunnerInfo {
  const externalMetadata = (runner.externalMetadata ?? {}) as Record<string, unknown>;
  return {
    runnerId: runner.runnerId,
    alias: runner.alias,
    revision: runner.revision,
    state: nameOf(states, runner.state ?? RunnerInfo_State.RUNNING),
    machineType: runner.machineType,
    inFlightRequests: runner.inFlightRequests,
    expirationCountdown: runner.expirationCountdown ?? null,
    uptime: runner.uptime,
    replacement: nameOf(replacements, runner.replacement),
    leases: toLeases(externalMetadata['leases']),
    externalMetadata,
  };
}

/**
 * States a list can be narrowed to; `TERMINATED` stands for `DEAD` too.
 * @internal
 */
export function isInStates(runner: RunnerInfo, wanted: readonly RunnerState[] | undefined): boolean {
  if (wanted === undefined || typeof runner.state !== 'string') return wanted === undefined;
  return wanted.includes(runner.state) || (runner.state === 'DEAD' && wanted.includes('TERMINATED'));
}

function toLeases(value: unknown): RunnerLease[] {
  if (!Array.isArray(value)) return [];
  return (value as Record<string, unknown>[]).map((lease) => ({
    requestId: typeof lease['request_id'] === 'string' ? lease['request_id'] : null,
    callerUserId: typeof lease['caller_user_id'] === 'string' ? lease['caller_user_id'] : null,
    leasedAt: typeof lease['leased_at_epoch'] === 'number' ? new Date(lease['leased_at_epoch'] * 1000) : null,
  }));
}
