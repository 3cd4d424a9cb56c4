import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { toSettingsPatch } from './scale-settings-patch.ts';

describe('toSettingsPatch', () => {
  it('holds only what was given', () => {
    assert.deepEqual(toSettingsPatch({ validRegions: [], machineTypes: [] }), {});
    assert.deepEqual(toSettingsPatch({ keepAlive: 0, minConcurrency: 0 }), { keepAliveSeconds: 0, minConcurrency: 0 });
  });

  it('translates every field', () => {
    const patch = toSettingsPatch({
      keepAlive: 1,
      minConcurrency: 2,
      maxConcurrency: 3,
      concurrencyBuffer: 4,
      concurrencyBufferPerc: 5,
      scalingDelaySeconds: 6,
      requestTimeout: 7,
      requestStartTimeout: 8,
      startupTimeout: 9,
      maxMultiplexing: 10,
      validRegions: ['us-east'],
      machineTypes: ['S', 'M'],
      machineType: 'S',
    });
    assert.deepEqual(patch, {
      keepAliveSeconds: 1,
      minConcurrency: 2,
      maxConcurrency: 3,
      concurrencyBuffer: 4,
      concurrencyBufferPerc: 5,
      scalingDelaySeconds: 6,
      requestTimeoutSeconds: 7,
      requestStartTimeoutSeconds: 8,
      startupTimeoutSeconds: 9,
      maxMultiplexing: 10,
      validRegions: ['us-east'],
      machineTypes: ['S', 'M'],
    });
  });

  it('takes an explicit 0 for the start timeout as "none"', () => {
    assert.deepEqual(toSettingsPatch({ requestStartTimeout: 0 }), { requestStartTimeoutSeconds: null });
  });

  it('uses the older single machine type only where the list is empty', () => {
    assert.deepEqual(toSettingsPatch({ machineType: 'M' }), { machineTypes: ['M'] });
    assert.deepEqual(toSettingsPatch({ machineType: 'M', machineTypes: ['L'] }), { machineTypes: ['L'] });
  });
});
