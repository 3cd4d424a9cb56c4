import type { ServerlessClient } from '@lanner/client';
import type { Terminal } from '../terminal/terminal.ts';

/** What a command works with. */
export interface CommandContext {
  terminal: Terminal;
  /** The variables of the process. */
  environment: NodeJS.ProcessEnv;
  /** Fires at Ctrl-C, SIGTERM and SIGHUP; what the command waits for has to end then. */
  signal: AbortSignal;
  /** `--debug` was given. */
  debug: boolean;
  /** A client for the platform these options name; closed when the command has ended. */
  client(options: ConnectionOptions): Promise<ServerlessClient>;
}

/** The flags by which a command finds its platform. */
export interface ConnectionOptions {
  host?: string;
  team?: string;
  profile?: string;
  dataDir?: string;
}
