export { startServer, type StartServerOptions } from './start-server.ts';
export { loadServerConfig, type ServerConfig, type ServerFlags } from './config/server-config.ts';
export type { RunningServer } from './config/running-server.ts';
export { createLogger, type Logger } from './observe/logger.ts';
