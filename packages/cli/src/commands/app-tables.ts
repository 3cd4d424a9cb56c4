import type { AppInfo, RevisionInfo } from '@lanner/client';
import { pythonTime } from '../terminal/python-text.ts';
import type { Column } from '../terminal/table.ts';

type Scaled = AppInfo | RevisionInfo;

const scale = <Row extends Scaled>(title: string, field: keyof Scaled): Column<Row> => ({
  title,
  // an absent number reads `None`, as the official command shows it
  value: (row) => String(row[field] ?? 'None'),
});
const machineTypes = <Row extends Scaled>(): Column<Row> => ({
  title: 'Machine Type',
  value: (row) => row.machineTypes.join(' '),
});
const environment = <Row extends Scaled>(): Column<Row> => ({ title: 'Env', value: (row) => row.environmentName });
const regions = <Row extends Scaled>(): Column<Row> => ({
  title: 'Regions',
  value: (row) => row.validRegions.join(' '),
});

/** An app per line, as `apps list`, `apps scale` and `apps set-rev` show it. */
export const appColumns: readonly Column<AppInfo>[] = [
  { title: 'Name', value: (app) => displayName(app), whole: true },
  environment(),
  { title: 'Revision', value: (app) => app.revision, whole: true },
  { title: 'Auth', value: (app) => nameOf(app.authMode) },
  scale('Min Concurrency', 'minConcurrency'),
  scale('Max Concurrency', 'maxConcurrency'),
  {
    title: 'Concurrency Buffer',
    value: (app) =>
      app.concurrencyBufferPerc > 0
        ? `${app.concurrencyBufferPerc}%, min ${app.concurrencyBuffer}`
        : String(app.concurrencyBuffer),
  },
  scale('Scaling Delay', 'scalingDelay'),
  scale('Max Multiplexing', 'maxMultiplexing'),
  scale('Keep Alive', 'keepAlive'),
  scale('Request Timeout', 'requestTimeout'),
  scale('Request Start Timeout', 'requestStartTimeout'),
  scale('Startup Timeout', 'startupTimeout'),
  machineTypes(),
  scale('Runners', 'activeRunners'),
  regions(),
];

/** A revision per line. */
export const revisionColumns: readonly Column<RevisionInfo>[] = [
  { title: 'Revision', value: (revision) => revision.applicationId, whole: true },
  environment(),
  scale('Min Concurrency', 'minConcurrency'),
  scale('Max Concurrency', 'maxConcurrency'),
  scale('Max Multiplexing', 'maxMultiplexing'),
  scale('Keep Alive', 'keepAlive'),
  scale('Request Timeout', 'requestTimeout'),
  scale('Request Start Timeout', 'requestStartTimeout'),
  scale('Startup Timeout', 'startupTimeout'),
  machineTypes(),
  scale('Runners', 'activeRunners'),
  regions(),
  { title: 'Created', value: (revision) => pythonTime(revision.createdAt) },
];

/** The name without the environment at its end. */
export function displayName({ alias, environmentName }: { alias: string; environmentName: string }): string {
  const suffix = `--${environmentName}`;
  return environmentName !== 'main' && alias.endsWith(suffix) ? alias.slice(0, -suffix.length) : alias;
}

/** A state or mode as text; a number this version does not know stays a number. */
export function nameOf(value: string | { unknown: number }): string {
  return typeof value === 'object' ? String(value.unknown) : String(value);
}

/** The fields of an app under the official record's names, in its order. */
export function appToJson(app: AppInfo): Record<string, unknown> {
  return {
    alias: app.alias,
    revision: app.revision,
    auth_mode: nameOf(app.authMode),
    keep_alive: app.keepAlive,
    max_concurrency: app.maxConcurrency,
    max_multiplexing: app.maxMultiplexing,
    active_runners: app.activeRunners,
    min_concurrency: app.minConcurrency,
    concurrency_buffer: app.concurrencyBuffer,
    concurrency_buffer_perc: app.concurrencyBufferPerc,
    scaling_delay: app.scalingDelay,
    machine_types: app.machineTypes,
    request_timeout: app.requestTimeout,
    startup_timeout: app.startupTimeout,
    valid_regions: app.validRegions,
    environment_name: app.environmentName,
    request_start_timeout: app.requestStartTimeout,
  };
}

/** A revision in the same words as an app. */
export function revisionToJson(revision: RevisionInfo): Record<string, unknown> {
  return {
    application_id: revision.applicationId,
    keep_alive: revision.keepAlive,
    max_concurrency: revision.maxConcurrency,
    max_multiplexing: revision.maxMultiplexing,
    active_runners: revision.activeRunners,
    min_concurrency: revision.minConcurrency,
    concurrency_buffer: revision.concurrencyBuffer,
    concurrency_buffer_perc: revision.concurrencyBufferPerc,
    scaling_delay: revision.scalingDelay,
    machine_types: revision.machineTypes,
    request_timeout: revision.requestTimeout,
    startup_timeout: revision.startupTimeout,
    valid_regions: revision.validRegions,
    created_at: pythonTime(revision.createdAt),
    environment_name: revision.environmentName,
    request_start_timeout: revision.requestStartTimeout,
  };
}
