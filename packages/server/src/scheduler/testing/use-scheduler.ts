import assert from 'node:assert/strict';
import { afterEach, beforeEach } from 'node:test';
import { isLannerError } from '@lanner/protocol';
import type { Slot } from '../dispatcher.ts';
import type { RunnerView } from '../fleet.ts';
import { createSchedulerHarness, testAccount, track, type SchedulerHarness } from './scheduler-harness.ts';

/** The scheduler of the test that runs, on virtual time and a scripted driver. */
export let harness: SchedulerHarness;

/** Gives every test of the file a started scheduler of its own. */
export function useScheduler(): void {
  beforeEach(async () => {
    harness = createSchedulerHarness();
    await harness.scheduler.start();
  });
  afterEach(async () => {
    await harness.scheduler.stop({ graceMs: 0 });
  });
}

/** Replaces it by one with other parts. */
export async function restartWith(parts: Parameters<typeof createSchedulerHarness>[0]): Promise<void> {
  await harness.scheduler.stop({ graceMs: 0 });
  harness = createSchedulerHarness(parts);
  await harness.scheduler.start();
}

export const list = (filter: { aliasName?: string } = {}): RunnerView[] =>
  harness.scheduler.listRunners(testAccount.accountId, filter);

/** The same, and those that ended at or after the moment. */
export const listSince = (endedSinceMs: number): Promise<RunnerView[]> =>
  harness.scheduler.listRunnersSince(testAccount.accountId, { endedSinceMs });

export const states = (): string[] => list().map((view) => view.state);

export const codeOf = (error: unknown): string | null => (isLannerError(error) ? error.code : null);

/** The slot a test asked for; fails when it was not given. */
export const slotOf = (tracked: { value: Slot | undefined }): Slot => {
  assert.ok(tracked.value, 'the request has no slot');
  return tracked.value;
};

export const call = (name: string) => track(harness.scheduler.acquire(harness.request(name)));

/** One call of a warm app; resolves with the runner that served it. */
export const callOnce = async (name: string): Promise<string> => {
  const asked = call(name);
  await harness.clock.advance(0);
  slotOf(asked).release({ kind: 'done' });
  return slotOf(asked).runnerId;
};
