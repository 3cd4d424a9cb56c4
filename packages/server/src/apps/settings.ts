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

interface NumericRule {
  name: keyof ScaleSettings;
  /** Callers know the setting by this name. */
  wireName: string;
  lowest: number;
  highest?: number;
  /** What else may be given, or what the number means. */
  hint?: string;
}

/** Longest time that supervisors take, 30 days. */
const longestSeconds = 30 * 24 * 3600;
/** Far beyond one machine, and small enough that a typing error does not ask for millions of processes. */
const mostRunners = 10_000;
/** Ten runners beside each busy one; the hosted platform publishes no limit. */
const highestBufferPercent = 1000;

const numericRules: readonly NumericRule[] = [
  { name: 'keepAliveSeconds', wireName: 'keep_alive', lowest: 0 },
  { name: 'minConcurrency', wireName: 'min_concurrency', lowest: 0, highest: mostRunners },
  // 0 would leave every caller waiting for a runner that cannot come.
  { name: 'maxConcurrency', wireName: 'max_concurrency', lowest: 1, highest: mostRunners },
  { name: 'concurrencyBuffer', wireName: 'concurrency_buffer', lowest: 0, highest: mostRunners },
  {
    name: 'concurrencyBufferPerc',
    wireName: 'concurrency_buffer_perc',
    lowest: 0,
    highest: highestBufferPercent,
    hint: 'It is a percentage of the requests in progress: 20 keeps one spare runner for every five busy ones.',
  },
  { name: 'scalingDelaySeconds', wireName: 'scaling_delay', lowest: 0 },
  { name: 'requestTimeoutSeconds', wireName: 'request_timeout', lowest: 1, highest: longestSeconds },
  {
    name: 'requestStartTimeoutSeconds',
    wireName: 'request_start_timeout',
    lowest: 1,
    hint: '0 takes the limit away.',
  },
  { name: 'maxMultiplexing', wireName: 'max_multiplexing', lowest: 1 },
  { name: 'startupTimeoutSeconds', wireName: 'startup_timeout', lowest: 1, highest: longestSeconds },
];

const mostListed = 32;

/** @throws LannerError `invalid_argument` naming the setting, the value and the rule. */
export function assertScaleSettings(settings: ScaleSettings, machineTypes: MachineTypes): void {
  for (const { name, wireName, lowest, highest = largestInteger, hint } of numericRules) {
    const value = settings[name];
    if (value !== null) assertInteger(wireName, value as number, lowest, highest, hint);
  }
  if (settings.minConcurrency > settings.maxConcurrency) {
    throw invalid(
      `min_concurrency is ${settings.minConcurrency} but max_concurrency is ${settings.maxConcurrency}; ` +
        'the floor cannot be above the ceiling. Raise max_concurrency or lower min_concurrency.',
    );
  }
  if (settings.machineTypes.length === 0) throw invalid('machine_types is empty; name at least one machine type.');
  assertListLength('machine_types', settings.machineTypes);
  for (const name of settings.machineTypes) assertMachineType(name, machineTypes);
  assertListLength('valid_regions', settings.validRegions);
  for (const region of settings.validRegions) assertRegion(region);
}

/** There is no published list of regions, and one machine has none: their form is checked, not their existence. */
function assertRegion(region: string): void {
  if (/^[a-z0-9]+(-[a-z0-9]+)*$/.test(region) && region.length <= 63) return;
  throw invalid(
    `"${region.slice(0, 100)}" in valid_regions is not the name of a region: lower-case letters, digits and "-", such as "us-east".`,
  );
}

function assertListLength(wireName: string, list: readonly string[]): void {
  if (list.length <= mostListed) return;
  throw invalid(`${wireName} has ${list.length} entries; ${mostListed} are allowed.`);
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

function assertInteger(wireName: string, value: number, lowest: number, highest: number, hint?: string): void {
  if (Number.isInteger(value) && value >= lowest && value <= highest) return;
  const rule = `${wireName} is ${value}, but has to be a whole number from ${lowest} to ${highest}.`;
  throw invalid(hint === undefined ? rule : `${rule} ${hint}`);
}

function invalid(message: string): LannerError {
  return new LannerError('invalid_argument', message);
}
