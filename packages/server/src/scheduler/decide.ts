import type { ScaleSettings } from '../apps/app-types.ts';

/** The settings that a scaling decision reads. */
export type ScalingSettings = Pick<
  ScaleSettings,
  | 'keepAliveSeconds'
  | 'minConcurrency'
  | 'maxConcurrency'
  | 'concurrencyBuffer'
  | 'concurrencyBufferPerc'
  | 'scalingDelaySeconds'
  | 'maxMultiplexing'
  | 'machineTypes'
>;

/**
 * What a pool looks like at one moment. Times are monotonic milliseconds. Only runners of the active revision that take
 * work (or soon will) appear; draining and stopping ones do not, nor does their work count.
 */
export interface PoolSample {
  /** Requests on the ready runners. */
  inFlight: number;
  waitingCount: number;
  /** When each waiting request began to wait, oldest first. Read only as far as needed. */
  waitingSinceMs: Iterable<number>;
  ready: number;
  /** Runners on their way, oldest first. They count against new demand. */
  startingIds: readonly string[];
  /** Ready runners without work that nobody holds, longest idle first. */
  idle: Iterable<IdleRunner>;
  /** Ready runners with work; read only when the pool is above its cap. */
  busy: Iterable<{ runnerId: string; inFlight: number }>;
  obstacles: StartObstacles;
  /** After a forced rollout: floor and buffer rest until a request comes. */
  dormant: boolean;
}

export interface IdleRunner {
  runnerId: string;
  sinceMs: number;
  everServed: boolean;
}

/** What stands in the way of starting another runner. */
export interface StartObstacles {
  /** Consecutive failed starts of the active revision. */
  failures: { count: number; lastAtMs: number };
  /** Machine types without capacity, and until when. */
  blockedMachineTypes: ReadonlyMap<string, number>;
  /** Set while nothing can be started because the machine's supervisor cannot be reached. */
  unavailableUntilMs: number | null;
}

export type StartReason = 'need' | 'buffer' | 'floor';
export type HoldCause = 'backoff' | 'no_capacity' | 'unavailable';

export type ScalingAction =
  | { type: 'start'; reason: StartReason; machineType: string }
  /** For idle and starting runners. */
  | { type: 'stop'; runnerId: string; reason: 'idle' | 'cap' }
  /** For busy runners: no new work, stop when the last request is done. */
  | { type: 'drain'; runnerId: string; reason: 'cap' };

export interface Decision {
  desired: number;
  need: number;
  buffer: number;
  floor: number;
  cap: number;
  /** More runners were wanted than the cap allows. */
  capped: boolean;
  actions: ScalingAction[];
  /** Starts that are wanted but must wait. */
  held: { count: number; untilMs: number; cause: HoldCause } | null;
  /** Why no runner can come now: none is ready or starting, and none may be started. Waiting callers are to be told. */
  hopeless: HoldCause | 'suspended' | null;
  /** The next moment at which time alone changes this decision; null: only an event can. */
  nextChangeAtMs: number | null;
}

/** A runner that never served anything goes this soon when the app has neither floor nor buffer (platform-semantics 2.4). */
const unusedRunnerMs = 10_000;
/** Wait before a machine type without capacity is tried again (platform-semantics 3.4). */
export const noCapacityMs = 20_000;

/** How long starts are held after `failureCount` consecutive failures: 30 s each, 10 min at most (platform-semantics 3.4). */
export function backoffMs(failureCount: number): number {
  return Math.min(failureCount * 30_000, 600_000);
}

/** The formula of platform-semantics 2.2 for `demand` requests (in flight, and waiting long enough). */
export function desiredRunners(
  demand: number,
  settings: ScalingSettings,
  dormant = false,
): { desired: number; need: number; buffer: number; floor: number } {
  const slots = Math.max(1, settings.maxMultiplexing);
  const need = Math.ceil(demand / slots);
  // Multiplied first: in binary, 0.07 × 100 is a little more than 7 and would round up to 8.
  const share = Math.ceil((settings.concurrencyBufferPerc * demand) / (100 * slots));
  const buffer = dormant ? 0 : Math.max(settings.concurrencyBuffer, share);
  const floor = dormant ? 0 : settings.minConcurrency;
  return { desired: Math.min(settings.maxConcurrency, Math.max(floor, need + buffer)), need, buffer, floor };
}

/**
 * The first machine type in list order that is not known to be full (platform-semantics 2.3), or the moment at which one
 * may be tried again.
 */
export function chooseMachineType(
  machineTypes: readonly string[],
  blocked: ReadonlyMap<string, number>,
  nowMs: number,
): { machineType: string } | { blockedUntilMs: number } {
  let blockedUntilMs = Number.POSITIVE_INFINITY;
  for (const machineType of machineTypes.length === 0 ? ['XS'] : machineTypes) {
    const untilMs = blocked.get(machineType) ?? 0;
    if (untilMs <= nowMs) return { machineType };
    blockedUntilMs = Math.min(blockedUntilMs, untilMs);
  }
  return { blockedUntilMs };
}

/**
 * Decides which runners of a pool start and stop now, and when to ask again. Pure: the same arguments give the same answer.
 * Rules: platform-semantics 2.2 (formula), 2.3 (delay, fallback), 2.4 (idle), 3.4 (backoff). Busy runners are never cut.
 */
export function decide(nowMs: number, sample: PoolSample, settings: ScalingSettings): Decision {
  const waiting = countMature(nowMs, sample, settings);
  const { desired, need, buffer, floor } = desiredRunners(sample.inFlight + waiting.mature, settings, sample.dormant);
  const cap = settings.maxConcurrency;
  const present = sample.ready + sample.startingIds.length;
  const missing = desired - present;

  const actions: ScalingAction[] = [];
  const hold = findHold(nowMs, sample.obstacles, settings.machineTypes);
  let held: Decision['held'] = null;
  if (missing > 0 && hold) held = { count: missing, untilMs: hold.untilMs, cause: hold.cause };
  if (missing > 0 && !hold) {
    const choice = chooseMachineType(settings.machineTypes, sample.obstacles.blockedMachineTypes, nowMs);
    if ('machineType' in choice) {
      for (let index = present; index < desired; index += 1) {
        const reason = index < need ? 'need' : index < need + buffer ? 'buffer' : 'floor';
        actions.push({ type: 'start', reason, machineType: choice.machineType });
      }
    }
  }

  const stoppedReady = stopAboveCap(sample, present - cap, actions);
  const idleExpiryMs = stopIdle(
    nowMs,
    sample,
    settings,
    sample.ready - stoppedReady.size - desired,
    stoppedReady,
    actions,
  );

  const moments = [idleExpiryMs, held?.untilMs ?? null, present < cap ? waiting.nextMatureAtMs : null];
  let hopeless: Decision['hopeless'] = null;
  if (present === 0) hopeless = cap <= 0 ? 'suspended' : (hold?.cause ?? null);
  return {
    desired,
    need,
    buffer,
    floor,
    cap,
    capped: Math.max(floor, need + buffer) > cap,
    actions,
    held,
    hopeless,
    nextChangeAtMs: moments.reduce<number | null>(
      (least, at) => (at === null ? least : Math.min(least ?? at, at)),
      null,
    ),
  };
}

/** Waiting requests that have waited out the scaling delay. Counted no further than what fills the pool. */
function countMature(
  nowMs: number,
  sample: PoolSample,
  settings: ScalingSettings,
): { mature: number; nextMatureAtMs: number | null } {
  const delayMs = settings.scalingDelaySeconds * 1000;
  if (delayMs <= 0) return { mature: sample.waitingCount, nextMatureAtMs: null };
  const enough = settings.maxConcurrency * Math.max(1, settings.maxMultiplexing) + 1;
  let mature = 0;
  for (const sinceMs of sample.waitingSinceMs) {
    if (nowMs - sinceMs < delayMs) return { mature, nextMatureAtMs: sinceMs + delayMs };
    mature += 1;
    if (mature >= enough) break;
  }
  return { mature, nextMatureAtMs: null };
}

/** Until when starts must wait, and why; null when one may begin now. */
export function findHold(
  nowMs: number,
  obstacles: StartObstacles,
  machineTypes: readonly string[],
): { untilMs: number; cause: HoldCause } | null {
  const { count, lastAtMs } = obstacles.failures;
  if (count > 0 && lastAtMs + backoffMs(count) > nowMs)
    return { untilMs: lastAtMs + backoffMs(count), cause: 'backoff' };
  if (obstacles.unavailableUntilMs !== null && obstacles.unavailableUntilMs > nowMs) {
    return { untilMs: obstacles.unavailableUntilMs, cause: 'unavailable' };
  }
  const choice = chooseMachineType(machineTypes, obstacles.blockedMachineTypes, nowMs);
  return 'machineType' in choice ? null : { untilMs: choice.blockedUntilMs, cause: 'no_capacity' };
}

/** A lowered cap takes what costs least first: newest starts, then longest idle, then drains those with least work. */
function stopAboveCap(sample: PoolSample, excess: number, actions: ScalingAction[]): Set<string> {
  const stoppedReady = new Set<string>();
  let left = excess;
  for (let index = sample.startingIds.length - 1; index >= 0 && left > 0; index -= 1, left -= 1) {
    actions.push({ type: 'stop', runnerId: sample.startingIds[index]!, reason: 'cap' });
  }
  if (left <= 0) return stoppedReady;
  for (const { runnerId } of sample.idle) {
    if (left === 0) return stoppedReady;
    actions.push({ type: 'stop', runnerId, reason: 'cap' });
    stoppedReady.add(runnerId);
    left -= 1;
  }
  for (const { runnerId } of [...sample.busy].sort((a, b) => a.inFlight - b.inFlight)) {
    if (left === 0) break;
    actions.push({ type: 'drain', runnerId, reason: 'cap' });
    stoppedReady.add(runnerId);
    left -= 1;
  }
  return stoppedReady;
}

/**
 * Stops runners whose idle time is over, longest idle first, as far as `spare` allows. A starting runner does not stand in
 * for a ready one here, so capacity never dips while a start may still fail.
 * @returns when the next idle runner may go.
 */
function stopIdle(
  nowMs: number,
  sample: PoolSample,
  settings: ScalingSettings,
  spare: number,
  alreadyStopped: ReadonlySet<string>,
  actions: ScalingAction[],
): number | null {
  let left = spare;
  let nextMs: number | null = null;
  if (left <= 0) return null;
  for (const runner of sample.idle) {
    if (left <= 0) return null;
    if (alreadyStopped.has(runner.runnerId)) continue;
    const expiresAtMs = runner.sinceMs + longestIdleMs(settings, runner.everServed);
    if (expiresAtMs <= nowMs) {
      actions.push({ type: 'stop', runnerId: runner.runnerId, reason: 'idle' });
      left -= 1;
    } else {
      nextMs = Math.min(nextMs ?? expiresAtMs, expiresAtMs);
    }
  }
  return left > 0 ? nextMs : null;
}

/** How long a runner that is not needed may be idle. One that nobody called goes sooner, unless it is there as a reserve. */
export function longestIdleMs(settings: ScalingSettings, everServed: boolean): number {
  const hasReserve =
    settings.minConcurrency > 0 || settings.concurrencyBuffer > 0 || settings.concurrencyBufferPerc > 0;
  return everServed || hasReserve ? settings.keepAliveSeconds * 1000 : unusedRunnerMs;
}
