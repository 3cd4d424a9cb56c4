import { defaultScaleSettings } from '../../apps/app-types.ts';
import type { IdleRunner, PoolSample, ScalingSettings } from '../decide.ts';

export const settingsWith = (overrides: Partial<ScalingSettings>): ScalingSettings => ({
  ...defaultScaleSettings,
  ...overrides,
});

interface SampleParts extends Partial<Omit<PoolSample, 'obstacles'>> {
  failures?: { count: number; lastAtMs: number };
  blocked?: [string, number][];
  unavailableUntilMs?: number;
}

/** A pool with nothing in it, and what a test adds. `waitingSinceMs` sets the count too. */
export function aSample(parts: SampleParts = {}): PoolSample {
  const { failures, blocked, unavailableUntilMs, ...rest } = parts;
  const waiting = [...(parts.waitingSinceMs ?? [])];
  return {
    inFlight: 0,
    waitingCount: waiting.length,
    ready: 0,
    startingIds: [],
    idle: [],
    busy: [],
    dormant: false,
    ...rest,
    waitingSinceMs: waiting,
    obstacles: {
      failures: failures ?? { count: 0, lastAtMs: 0 },
      blockedMachineTypes: new Map(blocked),
      unavailableUntilMs: unavailableUntilMs ?? null,
    },
  };
}

export const idleRunner = (runnerId: string, sinceMs: number, everServed = true): IdleRunner => ({
  runnerId,
  sinceMs,
  everServed,
});
export const waiters = (count: number, sinceMs = 0): number[] => Array.from({ length: count }, () => sinceMs);
