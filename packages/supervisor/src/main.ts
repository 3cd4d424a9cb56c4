import { enableCompileCache } from 'node:module';
import { parseArgs } from 'node:util';

enableCompileCache();

const { readHostEnvironment } = await import('./host-environment.ts');
const { probeIsolation } = await import('./sandbox/isolation.ts');

const usage = 'usage: main.ts --data-dir DIR [--socket PATH] [--lease-ms N]\n';

/** Options of the process, or undefined when they make no sense. */
function parseOptions(): { dataDir: string; socketPath?: string; leaseMs?: number } | undefined {
  try {
    const { values } = parseArgs({
      options: { 'data-dir': { type: 'string' }, socket: { type: 'string' }, 'lease-ms': { type: 'string' } },
    });
    const dataDir = values['data-dir'];
    const leaseMs = values['lease-ms'] === undefined ? undefined : Number(values['lease-ms']);
    if (dataDir === undefined || dataDir === '' || (leaseMs !== undefined && !(leaseMs > 0))) return undefined;
    return {
      dataDir,
      ...(values.socket === undefined ? {} : { socketPath: values.socket }),
      ...(leaseMs === undefined ? {} : { leaseMs }),
    };
  } catch {
    return undefined;
  }
}

const options = parseOptions();
if (options === undefined) {
  process.stderr.write(usage);
  process.exit(2);
}

// The probe takes a quarter of a second of other processes: the rest of this one is loaded meanwhile.
const host = readHostEnvironment(process.env);
const isolation = probeIsolation(host.hostEnv);
isolation.catch(() => {}); // startSupervisor tells
const { systemClock, isLannerError, supervisorLockedStatus } = await import('@lanner/protocol');
const { createLog } = await import('./lib/log.ts');
const { startSupervisor } = await import('./supervisor.ts');

// Whoever started us may be gone, and its terminal or pipe with it: neither may end the runners.
process.on('SIGHUP', () => {});
process.stderr.on('error', () => {});
process.stdout.on('error', () => {});
const log = createLog(systemClock, (line) => process.stderr.write(line));
process.on('unhandledRejection', (error) => log.error({ error }, 'unhandled rejection'));

try {
  const supervisor = await startSupervisor({ ...options, ...host, isolation, clock: systemClock, log });
  let signals = 0;
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      signals += 1;
      if (signals > 1) process.exit(1); // the second one means now: the lifelines end all runners
      void supervisor.stop();
    });
  }
  await supervisor.ended;
  process.exit(0);
} catch (error) {
  if (isLannerError(error)) process.stderr.write(`${error.message}\n`);
  else log.error({ error }, 'supervisor failed');
  process.exit(isLannerError(error) && error.code === 'data_dir_locked' ? supervisorLockedStatus : 1);
}
