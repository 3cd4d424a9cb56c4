export { firstKeyDescription, readCredentials, writeCredentials, type Credentials } from './credentials.ts';
export { extendBundle } from './ca-bundle.ts';
export {
  clientEnvironment,
  interceptEnvironment,
  trustedFiles,
  type ClientAccess,
  type EnvironmentChange,
  type Variables,
} from './client-environment.ts';
export { dataDirLayout, defaultDataRoot, ensureDataDir, type DataDir } from './data-dir.ts';
export { falDomains } from './fal-hosts.ts';
export { isDataDirLocked } from './lock.ts';
export { isSupervisorOf, processCommand } from '../lib/process-command.ts';
export { readOrCreateToken, readFileIfPresent } from './private-file.ts';
export { findRunningServer, type RunState } from './run-state.ts';
export type { RunningServer } from './running-server.ts';
export { loadServerConfig, type ServerConfig, type ServerFlags } from './server-config.ts';
