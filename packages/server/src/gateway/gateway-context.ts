import type { Clock } from '@lanner/protocol';
import type { Authenticator } from '../auth/principal.ts';
import type { AccessLog } from '../observe/access-log.ts';
import type { Logger } from '../observe/logger.ts';
import type { Dispatcher, Targets } from '../scheduler/dispatcher.ts';
import type { GatewayLimits } from './gateway-limits.ts';
import type { LiveCalls } from './live-calls.ts';
import type { UpstreamTransport } from './upstream/upstream-transport.ts';

/** What every call of one gateway shares. */
export interface GatewayContext {
  targets: Targets;
  dispatcher: Dispatcher;
  authenticator: Authenticator;
  clock: Clock;
  log: Logger;
  writeAccessLog: AccessLog;
  limits: GatewayLimits;
  transport: UpstreamTransport;
  calls: LiveCalls;
  /** Told of every chunk that passes, for the sake of memory. */
  onStreamed: (bytes: number) => void;
}
