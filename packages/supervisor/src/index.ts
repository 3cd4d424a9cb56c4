export { startSupervisor, type Supervisor, type SupervisorConfig } from './supervisor.ts';
export { readHostEnvironment } from './host-environment.ts';
export { createLog, silentLog, type Log } from './lib/log.ts';
