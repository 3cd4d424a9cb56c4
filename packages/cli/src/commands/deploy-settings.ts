import type { AppInfo, LoadedPlan } from '@lanner/client';

/** One setting before and after a deploy, as texts. */
export interface SettingRow {
  label: string;
  production: string;
  afterDeploy: string;
  note: string;
}

/** A scale setting: its name in code, in an app's record, what a server takes when nothing is said, and who keeps it. */
interface Setting {
  label: string;
  option: string;
  field: keyof AppInfo;
  fallback: unknown;
  /** The app's value outlives a deploy without `--reset-scale`. */
  isInherited: boolean;
}

const setting = (
  label: string,
  option: string,
  field: keyof AppInfo,
  fallback: unknown,
  isInherited = true,
): Setting => ({
  label,
  option,
  field,
  fallback,
  isInherited,
});

const settings: readonly Setting[] = [
  setting('Machine Types', 'machine_type', 'machineTypes', ['XS'], false),
  setting('Keep Alive', 'keep_alive', 'keepAlive', 10),
  setting('Max Concurrency', 'max_concurrency', 'maxConcurrency', 2),
  setting('Min Concurrency', 'min_concurrency', 'minConcurrency', 0),
  setting('Concurrency Buffer', 'concurrency_buffer', 'concurrencyBuffer', 0),
  setting('Concurrency Buffer %', 'concurrency_buffer_perc', 'concurrencyBufferPerc', 0),
  setting('Scaling Delay', 'scaling_delay', 'scalingDelay', 0),
  setting('Max Multiplexing', 'max_multiplexing', 'maxMultiplexing', 1, false),
  setting('Request Timeout', 'request_timeout', 'requestTimeout', 3600),
  setting('Request Start Timeout', 'request_start_timeout', 'requestStartTimeout', null),
  setting('Startup Timeout', 'startup_timeout', 'startupTimeout', 600, false),
  setting('Regions', 'regions', 'validRegions', []),
];

/**
 * What a deploy changes, or all settings of a first deploy. Values of the code that will not apply are listed with a note.
 * Pure.
 */
export function compareSettings(plan: LoadedPlan, current: AppInfo | null): SettingRow[] {
  const rows: SettingRow[] = [];
  for (const { label, option, field, fallback, isInherited } of settings) {
    const wanted = valueInCode(plan.scale[option] ?? fallback, option);
    if (current === null) {
      rows.push({ label, production: 'n/a', afterDeploy: toText(wanted), note: '' });
      continue;
    }
    const production = current[field];
    if (toText(wanted) === toText(production)) continue;
    const isKept = isInherited && !plan.resetScale;
    rows.push({
      label,
      production: toText(production),
      afterDeploy: toText(wanted),
      note: isKept ? 'Code value will not apply without --reset-scale' : '',
    });
  }
  return rows;
}

function valueInCode(value: unknown, option: string): unknown {
  if (option === 'machine_type' && typeof value === 'string') return [value];
  return option === 'request_start_timeout' && value === 0 ? null : value;
}

function toText(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'any' : value.join(', ');
  return value === null || value === undefined ? 'none' : String(value);
}
