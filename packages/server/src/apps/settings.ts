import { LannerError } from '@lanner/protocol';
import {
  defaultScaleSettings,
  type CodeSettings,
  type CodeSpec,
  type ScaleSettings,
  type TunableSettings,
} from './app-types.ts';
import type { SettingsPatch } from './apps.ts';
import type { MachineTypes } from './machine-types.ts';

/** Largest number the wire carries (int32). */
const largestInteger = 2 ** 31 - 1;
const longestGraceSeconds = 3600;
const mostGpus = 8;

/** Every setting: what was given, the server's default for the rest. A start timeout of 0 means none, as on the wire. */
export function fillDefaults(given: SettingsPatch): ScaleSettings {
  return applyPatch(defaultScaleSettings, given);
}

/** Settings after a change; absent members stay. An explicit start timeout of 0 clears it. */
export function applyPatch(current: ScaleSettings, patch: SettingsPatch): ScaleSettings {
  const merged = { ...current };
  for (const [name, value] of Object.entries(patch)) if (value !== undefined) Object.assign(merged, { [name]: value });
  if (merged.requestStartTimeoutSeconds === 0) merged.requestStartTimeoutSeconds = null;
  return merged;
}

/**
 * Settings of an alias once it points to a revision (platform-semantics 2.5): the tunable ones stay as the alias has
 * them unless `resetScale`, the ones of the code always come from the revision. A new alias takes all from the revision.
 */
export function decideAliasSettings(
  current: ScaleSettings | null,
  revision: ScaleSettings,
  resetScale: boolean,
): ScaleSettings {
  if (current === null || resetScale) return revision;
  return { ...toTunable(current), ...toCodeSettings(revision) };
}

function toTunable(settings: ScaleSettings): TunableSettings {
  return {
    keepAliveSeconds: settings.keepAliveSeconds,
    minConcurrency: settings.minConcurrency,
    maxConcurrency: settings.maxConcurrency,
    concurrencyBuffer: settings.concurrencyBuffer,
    concurrencyBufferPerc: settings.concurrencyBufferPerc,
    scalingDelaySeconds: settings.scalingDelaySeconds,
    requestTimeoutSeconds: settings.requestTimeoutSeconds,
    requestStartTimeoutSeconds: settings.requestStartTimeoutSeconds,
    validRegions: settings.validRegions,
  };
}

function toCodeSettings(settings: ScaleSettings): CodeSettings {
  return {
    maxMultiplexing: settings.maxMultiplexing,
    startupTimeoutSeconds: settings.startupTimeoutSeconds,
    machineTypes: settings.machineTypes,
  };
}

/** Name on the wire and lowest value of every numeric setting: callers know them by these names. */
const numericSettings = [
  ['keepAliveSeconds', 'keep_alive', 0],
  ['minConcurrency', 'min_concurrency', 0],
  // 0 would leave every caller waiting for a runner that cannot come.
  ['maxConcurrency', 'max_concurrency', 1],
  ['concurrencyBuffer', 'concurrency_buffer', 0],
  ['concurrencyBufferPerc', 'concurrency_buffer_perc', 0],
  ['scalingDelaySeconds', 'scaling_delay', 0],
  ['requestTimeoutSeconds', 'request_timeout', 1],
  ['requestStartTimeoutSeconds', 'request_start_timeout', 1],
  ['maxMultiplexing', 'max_multiplexing', 1],
  ['startupTimeoutSeconds', 'startup_timeout', 1],
] as const satisfies [keyof ScaleSettings, string, number][];

/** @throws LannerError `invalid_argument` naming the setting, the value and the rule. */
export function assertScaleSettings(settings: ScaleSettings, machineTypes: MachineTypes): void {
  for (const [name, wireName, lowest] of numericSettings) {
    const value = settings[name];
    if (value !== null) assertInteger(wireName, value, lowest, largestInteger);
  }
  if (settings.minConcurrency > settings.maxConcurrency) {
    throw invalid(
      `min_concurrency is ${settings.minConcurrency} but max_concurrency is ${settings.maxConcurrency}; ` +
        'the floor cannot be above the ceiling. Raise max_concurrency or lower min_concurrency.',
    );
  }
  if (settings.machineTypes.length === 0) throw invalid('machine_types is empty; name at least one machine type.');
  for (const name of settings.machineTypes) assertMachineType(name, machineTypes);
  for (const region of settings.validRegions) {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(region)) {
      throw invalid(`"${region.slice(0, 100)}" in valid_regions is not a region name such as "us-east".`);
    }
  }
}

/** @throws LannerError `invalid_argument`. Checks the numbers of a code specification, and GPUs against machine types. */
export function assertCodeSpec(code: CodeSpec, settings: CodeSettings, machineTypes: MachineTypes): void {
  if (code.exposedPort !== null) assertInteger('exposed_port', code.exposedPort, 1, 65_535);
  if (code.metricsPort !== null) assertInteger('metrics_port', code.metricsPort, 1, 65_535);
  assertInteger('termination_grace_period_seconds', code.terminationGraceSeconds, 0, longestGraceSeconds);
  if (code.numGpus === null) return;
  assertInteger('num_gpus', code.numGpus, 0, mostGpus);
  const withoutGpu = settings.machineTypes.find((name) => machineTypes.get(name)?.gpu === null);
  if (code.numGpus > 0 && withoutGpu !== undefined) {
    throw invalid(
      `num_gpus is ${code.numGpus}, but machine type "${withoutGpu}" has no GPU. Choose a GPU type or leave num_gpus out.`,
    );
  }
}

/** @throws LannerError `invalid_argument` with the names there are. */
export function assertMachineType(name: string, machineTypes: MachineTypes): void {
  if (machineTypes.get(name) !== undefined) return;
  throw invalid(
    `Unknown machine type "${name.slice(0, 100)}". This installation has ${machineTypes.names().join(', ')}.`,
  );
}

function assertInteger(wireName: string, value: number, lowest: number, highest: number): void {
  if (Number.isInteger(value) && value >= lowest && value <= highest) return;
  throw invalid(`${wireName} is ${value}, but has to be a whole number from ${lowest} to ${highest}.`);
}

function invalid(message: string): LannerError {
  return new LannerError('invalid_argument', message);
}
