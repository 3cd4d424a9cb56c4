import { systemClock } from '@lanner/protocol';
import type { DataDir } from './config/data-dir.ts';

export { startServer, type StartServerOptions } from './start-server.ts';
export { loadServerConfig, type ServerConfig, type ServerFlags } from './config/server-config.ts';
export type { RunningServer } from './config/running-server.ts';
export { createLogger, type Logger } from './observe/logger.ts';

/** See rotate-secrets-key.ts; loaded when it is called, so that starting a server does not pay for it. */
export async function rotateSecretsKey(dataDir: DataDir): Promise<number> {
  return (await import('./rotate-secrets-key.ts')).rotateSecretsKeyOf(dataDir, systemClock);
}
