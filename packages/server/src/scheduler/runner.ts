import type { RunnerExit } from '@lanner/protocol';
import type { RunnerState, RunnerView } from './fleet.ts';
import type { SlotRequest } from './dispatcher.ts';

/**
 * A runner's life as the scheduler sees it; it only moves to the right.
 *
 *     requested → starting → setup → ready → draining → stopping → ended
 *                                       (any) ─────────→ stopping → ended
 *
 * `requested`: being handed to the driver. `draining`: no new work, present work goes on. `stopping`: SIGTERM was sent.
 */
export type RunnerPhase = 'requested' | 'starting' | 'setup' | 'ready' | 'draining' | 'stopping' | 'ended';

const phaseOrder: Record<RunnerPhase, number> = {
  requested: 0,
  starting: 1,
  setup: 2,
  ready: 3,
  draining: 4,
  stopping: 5,
  ended: 6,
};

/** Who a runner works for, as listings show it. */
export interface RunnerIdentity {
  runnerId: string;
  accountId: string;
  environmentName: string;
  /** null for an ephemeral run. */
  aliasId: string | null;
  aliasName: string;
  /** Public name, `owner/app`. */
  appName: string;
  revisionId: string;
  machineType: string;
  startReason: string;
  graceMs: number;
  /** Where its app listens; null for a plain function. */
  port: number | null;
}

/** One request on a runner, as listings show it. */
export interface Lease {
  caller: SlotRequest['caller'] | undefined;
  leasedAtMs: number;
  /** Set at its end. */
  endedAtMs?: number;
}

/** For lines of output that come after the request they belong to: how long and how many of its ended requests a runner remembers. */
const rememberedMs = 2_000;
const rememberedLeases = 1_000;

/** One process of a revision. State only; what happens to it is decided elsewhere. */
export class Runner {
  readonly identity: RunnerIdentity;
  readonly startedAtMs: number;
  host: string | null = null;
  /** Requests it may hold at once. */
  capacity: number;
  /** The requests it holds. */
  readonly leases = new Set<Lease>();
  /** Those of the last seconds, by their end. */
  readonly endedLeases: Lease[] = [];
  /** Monotonic; meaningful while ready and without work. */
  idleSinceMs = 0;
  /** Shells and commands beside its app: while there are any, it is not idle. */
  holders = 0;
  everServed = false;
  /** A request was given to it, whatever became of it. */
  hadWork = false;
  readyAtMs: number | null = null;
  /** The driver said `ready`, perhaps before it told the address. */
  reportedReady = false;
  /** Which round of starts it belongs to; see StartHistory. */
  startRound = 0;
  replacement: RunnerView['replacement'] = 'NO_REPLACE';
  /** Routing hints it published last. */
  hints: readonly string[] = [];
  endReason: string | null = null;
  endedAtMs: number | null = null;
  exit: RunnerExit | null = null;
  #phase: RunnerPhase = 'requested';

  constructor(identity: RunnerIdentity, startedAtMs: number, capacity: number) {
    this.identity = identity;
    this.startedAtMs = startedAtMs;
    this.capacity = capacity;
  }

  get runnerId(): string {
    return this.identity.runnerId;
  }

  get phase(): RunnerPhase {
    return this.#phase;
  }

  get inFlight(): number {
    return this.leases.size;
  }

  endLease(lease: Lease, nowMs: number): void {
    if (!this.leases.delete(lease)) return;
    lease.endedAtMs = nowMs;
    const ended = this.endedLeases;
    ended.push(lease);
    if (ended[0]!.endedAtMs! >= nowMs - rememberedMs && ended.length <= rememberedLeases) return;
    // In slabs: shifting at every end would cost the length each time.
    const keepFrom = ended.findIndex(({ endedAtMs }) => endedAtMs! >= nowMs - rememberedMs);
    ended.splice(0, Math.max(keepFrom, ended.length - rememberedLeases / 2));
  }

  /** On its way to being ready. */
  get isStarting(): boolean {
    return phaseOrder[this.#phase] < phaseOrder.ready;
  }

  /** Moves forward only. @returns false when the runner is already there or beyond. */
  advance(phase: RunnerPhase): boolean {
    if (phaseOrder[phase] <= phaseOrder[this.#phase]) return false;
    this.#phase = phase;
    return true;
  }
}

/** The state listings show (platform-semantics 3.1). */
export function toRunnerState(runner: Runner): RunnerState {
  switch (runner.phase) {
    case 'requested':
    case 'starting':
      return 'PENDING';
    case 'setup':
      // A function without a port is never asked anything: what it does after its start is its work.
      return runner.identity.port === null ? 'RUNNING' : 'SETUP';
    case 'ready':
      return runner.inFlight > 0 ? 'RUNNING' : 'IDLE';
    case 'draining':
      return 'DRAINING';
    case 'stopping':
      return 'TERMINATING';
    case 'ended':
      return 'TERMINATED';
  }
}

/** @param expiresInMs what its pool knows about the end of its idle time. */
export function toRunnerView(runner: Runner, expiresInMs: number | null): RunnerView {
  const { runnerId, accountId, aliasId, aliasName, revisionId, machineType, startReason } = runner.identity;
  const leases: RunnerView['leases'] = [];
  for (const { caller, leasedAtMs } of runner.leases) {
    if (caller) leases.push({ requestId: caller.requestId, callerAccountId: caller.accountId, leasedAtMs });
  }
  return {
    runnerId,
    accountId,
    aliasId,
    aliasName,
    revisionId,
    state: toRunnerState(runner),
    replacement: runner.replacement,
    inFlightRequests: runner.inFlight,
    leases,
    expiresInMs,
    startedAtMs: runner.startedAtMs,
    endedAtMs: runner.endedAtMs,
    machineType,
    startReason,
    endReason: runner.endReason,
  };
}
