import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { LannerError } from '@lanner/protocol';
import type { Route } from '../../ports/route.ts';
import type { Slot, SlotOutcome } from '../../scheduler/dispatcher.ts';
import type { AdmittedCall } from '../admit-call.ts';
import type { GatewayContext } from '../gateway-context.ts';
import type { CloseCode } from './frames.ts';

/** A handshake that was let in and has a runner. Not answered yet. */
export interface OpenedSocket {
  context: GatewayContext;
  request: IncomingMessage;
  socket: Duplex;
  /** What the caller sent right behind its handshake. */
  head: Buffer;
  route: Route;
  requestId: string;
  admitted: AdmittedCall;
  /** `owner/app/path`. */
  endpoint: string;
  slot: Omit<Slot, 'release'>;
  events: SocketEvents;
}

/** What a session tells of itself. */
export interface SocketEvents {
  /** The handshake was answered with `status`; from here on errors are close codes. */
  onAnswered(status: number): void;
  /** The handshake cannot be answered: the caller is told `error`, and the slot goes back. */
  onRefused(error: LannerError, outcome: SlotOutcome): void;
  onBytes(bytes: number, from: 'caller' | 'app'): void;
  /** The runner is free. Once, and not after `onRefused`. */
  onRunnerFree(outcome: SlotOutcome): void;
}

/** What carries the traffic of one socket. */
export interface SocketSession {
  /** Says goodbye and ends soon; before the answer, it only gives up what it has. Idempotent. */
  close(code: CloseCode, reason: string): void;
  /** The runner's process has ended. For sessions that would not notice by themselves. */
  onRunnerGone?(): void;
}

/** One way to serve sockets. Must call `onAnswered` or `onRefused`, never before it has returned. */
export type ServeSocket = (opened: OpenedSocket) => SocketSession;
