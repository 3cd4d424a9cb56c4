import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isLannerError } from '@lanner/protocol';
import { aCodeSpec } from './app-builders.ts';
import { defaultScaleSettings, type CodeSpec, type ScaleSettings } from './app-types.ts';
import { createMachineTypes } from './machine-types.ts';
import { applyPatch, assertCodeSpec, assertScaleSettings, decideAliasSettings, fillDefaults } from './settings.ts';

const machineTypes = createMachineTypes();
const settings = (given: Partial<ScaleSettings> = {}): ScaleSettings => ({ ...defaultScaleSettings, ...given });
const invalid = (text: RegExp) => (error: unknown) =>
  isLannerError(error) && error.code === 'invalid_argument' && text.test(error.message);

describe('fillDefaults', () => {
  it('gives the server’s defaults to what the code leaves out', () => {
    assert.deepEqual(fillDefaults({}), defaultScaleSettings);
    assert.deepEqual(
      fillDefaults({ keepAliveSeconds: 60, machineTypes: ['S'] }),
      settings({ keepAliveSeconds: 60, machineTypes: ['S'] }),
    );
  });

  it('keeps an explicit 0, and takes a start timeout of 0 for none', () => {
    assert.equal(fillDefaults({ keepAliveSeconds: 0 }).keepAliveSeconds, 0);
    assert.equal(fillDefaults({ requestStartTimeoutSeconds: 0 }).requestStartTimeoutSeconds, null);
  });
});

describe('applyPatch', () => {
  it('changes only what is named', () => {
    const before = settings({ maxConcurrency: 7, requestStartTimeoutSeconds: 5 });
    assert.deepEqual(applyPatch(before, { keepAliveSeconds: 0 }), { ...before, keepAliveSeconds: 0 });
    assert.deepEqual(applyPatch(before, {}), before);
  });

  it('clears the start timeout by 0', () => {
    assert.equal(
      applyPatch(settings({ requestStartTimeoutSeconds: 5 }), { requestStartTimeoutSeconds: 0 })
        .requestStartTimeoutSeconds,
      null,
    );
  });
});

describe('decideAliasSettings', () => {
  const revision = settings({
    keepAliveSeconds: 1,
    minConcurrency: 1,
    maxConcurrency: 9,
    concurrencyBuffer: 1,
    concurrencyBufferPerc: 10,
    scalingDelaySeconds: 1,
    requestTimeoutSeconds: 11,
    requestStartTimeoutSeconds: 12,
    validRegions: ['us-east'],
    maxMultiplexing: 4,
    startupTimeoutSeconds: 99,
    machineTypes: ['L'],
  });

  it('gives a new alias everything of the revision', () => {
    assert.deepEqual(decideAliasSettings(null, revision, false), revision);
  });

  it('keeps the tunable settings of an alias and takes the code’s from the revision', () => {
    assert.deepEqual(
      decideAliasSettings(settings(), revision, false),
      settings({ maxMultiplexing: 4, startupTimeoutSeconds: 99, machineTypes: ['L'] }),
    );
  });

  it('takes everything from the revision when scaling is reset', () => {
    assert.deepEqual(decideAliasSettings(settings({ maxConcurrency: 50 }), revision, true), revision);
  });
});

describe('assertScaleSettings', () => {
  const refuses = (given: Partial<ScaleSettings>, text: RegExp): void =>
    assert.throws(() => assertScaleSettings(settings(given), machineTypes), invalid(text));

  it('accepts the defaults and zeros that mean something', () => {
    assertScaleSettings(defaultScaleSettings, machineTypes);
    assertScaleSettings(
      settings({ keepAliveSeconds: 0, scalingDelaySeconds: 0, requestStartTimeoutSeconds: null }),
      machineTypes,
    );
    assertScaleSettings(
      settings({ minConcurrency: 2, maxConcurrency: 2, machineTypes: ['GPU-H100', 'GPU-A100'] }),
      machineTypes,
    );
  });

  it('names the setting, the value and the rule', () => {
    refuses({ keepAliveSeconds: -1 }, /keep_alive is -1.*from 0 to/);
    refuses({ maxConcurrency: 0 }, /max_concurrency is 0.*from 1 to/);
    refuses({ maxMultiplexing: 0 }, /max_multiplexing is 0.*from 1 to/);
    refuses({ concurrencyBuffer: 1.5 }, /concurrency_buffer is 1.5/);
    refuses({ concurrencyBufferPerc: Number.NaN }, /concurrency_buffer_perc is NaN/);
    refuses({ requestTimeoutSeconds: 0 }, /request_timeout is 0/);
    refuses({ requestStartTimeoutSeconds: -5 }, /request_start_timeout is -5.*from 1 to .* 0 takes the limit away/);
    refuses({ startupTimeoutSeconds: 2_592_001 }, /startup_timeout is 2592001.*to 2592000/);
    refuses({ requestTimeoutSeconds: 2 ** 31 - 1 }, /request_timeout is 2147483647.*to 2592000/);
  });

  it('refuses a floor above the ceiling', () => {
    refuses({ minConcurrency: 3 }, /min_concurrency is 3 but max_concurrency is 2/);
  });

  it('refuses unknown machine types, naming the known ones', () => {
    refuses({ machineTypes: ['GPU-X900'] }, /"GPU-X900".*XS, S, M, L, XL, GPU-A100/);
    refuses({ machineTypes: [] }, /machine_types is empty/);
    refuses({ machineTypes: ['constructor'] }, /"constructor"/);
  });

  it('knows the machine types of the installation', () => {
    const own = createMachineTypes([{ name: 'LAB-4090', memoryMiB: 64 * 1024, cpus: 16, gpu: { memoryGiB: 24 } }]);
    assertScaleSettings(settings({ machineTypes: ['LAB-4090'] }), own);
    assert.equal(own.get('XS')?.memoryMiB, 512);
  });

  it('bounds what would ask for more processes than any machine has', () => {
    refuses({ maxConcurrency: 10_001 }, /max_concurrency is 10001.*to 10000/);
    refuses({ concurrencyBuffer: 1_000_000 }, /concurrency_buffer is 1000000/);
    refuses({ concurrencyBufferPerc: -1 }, /concurrency_buffer_perc is -1.*from 0 to 1000\. It is a percentage/);
    refuses({ concurrencyBufferPerc: 1001 }, /concurrency_buffer_perc is 1001/);
    assertScaleSettings(settings({ concurrencyBufferPerc: 250, maxConcurrency: 10_000 }), machineTypes);
  });

  it('accepts every region that has the form of one, and refuses other text', () => {
    assertScaleSettings(settings({ validRegions: ['us-east', 'us-west', 'eu-north-1'] }), machineTypes);
    for (const region of ['us east', '', 'US-EAST', 'us--east', '-', 'us_east', 'a'.repeat(64)]) {
      refuses({ validRegions: [region] }, /in valid_regions is not the name of a region.*"us-east"/);
    }
    refuses({ validRegions: Array.from({ length: 33 }, (_, index) => `r-${index}`) }, /valid_regions has 33 entries/);
  });
});

describe('assertCodeSpec', () => {
  const check = (code: Partial<CodeSpec>, machineTypeNames = ['S']): void =>
    assertCodeSpec(aCodeSpec(code), settings({ machineTypes: machineTypeNames }), machineTypes);

  it('accepts an hour of grace and no more', () => {
    check({ terminationGraceSeconds: 3600 });
    assert.throws(
      () => check({ terminationGraceSeconds: 3601 }),
      invalid(/termination_grace_period_seconds is 3601.*to 3600/),
    );
  });

  it('refuses ports that are none', () => {
    check({ exposedPort: null, metricsPort: 9090 });
    assert.throws(() => check({ exposedPort: 0 }), invalid(/exposed_port is 0/));
    assert.throws(() => check({ metricsPort: 70_000 }), invalid(/metrics_port is 70000/));
  });

  it('counts GPUs only where there are some', () => {
    check({ numGpus: 8 }, ['GPU-H100']);
    assert.throws(() => check({ numGpus: 9 }, ['GPU-H100']), invalid(/num_gpus is 9/));
    assert.throws(() => check({ numGpus: 1 }, ['GPU-H100', 'XL']), invalid(/"XL" has no GPU/));
  });
});
