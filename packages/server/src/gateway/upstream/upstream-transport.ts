import type { Readable } from 'node:stream';

/** Where a runner listens. Connections are kept per runner, so a new runner on an old address gets new ones. */
export interface RunnerAddress {
  runnerId: string;
  host: string;
  port: number;
}

/** One HTTP/1.1 request as the runner shall receive it. */
export interface UpstreamRequest {
  method: string;
  /** With the query. */
  path: string;
  /** Name, value, name, value … */
  headers: string[];
  body: Buffer | Readable | null;
}

/** Headers of an answer: names in lower case, values as bytes (latin-1), several of one name as a list. */
export type UpstreamHeaders = Record<string, string | string[] | undefined>;

export type UpstreamFailureKind =
  | 'refused'
  | 'connect-timeout'
  | 'connect-error'
  /** The connection ended before the answer began, or in the middle of it. */
  | 'disconnected'
  /** What came is not HTTP, contradicts itself or is larger than allowed. */
  | 'bad-answer'
  /** The request cannot be put on the wire; nothing was sent. */
  | 'bad-request';

export interface UpstreamFailure {
  kind: UpstreamFailureKind;
  cause: unknown;
}

/**
 * Gets one answer: `onHead` at most once, then `onData` any number of times, and last exactly one of `onEnd` and
 * `onFailure`; nothing at all after `abort()`.
 */
export interface UpstreamReceiver {
  onHead(status: number, reason: string, headers: UpstreamHeaders): void;
  onData(chunk: Buffer): void;
  onEnd(trailers: UpstreamHeaders): void;
  onFailure(failure: UpstreamFailure): void;
}

/** The caller's side of one exchange with a runner. */
export interface UpstreamExchange {
  /** Stops `onData` until `resume`. At most what is already in memory still arrives. */
  pause(): void;
  resume(): void;
  /** Drops the connection; the runner sees a disconnect. Idempotent, also after the end. */
  abort(): void;
}

/** Sends requests to runners. The only place that knows which HTTP client does it. */
export interface UpstreamTransport {
  /** Never throws; failures arrive at the receiver, never before `send` has returned. */
  send(runner: RunnerAddress, request: UpstreamRequest, receiver: UpstreamReceiver): UpstreamExchange;
  /** Closes the idle connections to a runner that ended. */
  forget(runnerId: string): void;
  /** Drops every connection. */
  close(): Promise<void>;
}
