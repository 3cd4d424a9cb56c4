import type { CallOptions } from '../transport/call-options.ts';
import type { RequestStatus } from './request-state.ts';

/** What every call of an app may say. */
export interface InvokeOptions<Input> extends CallOptions {
  /** Sent as JSON; left out, nothing is sent. Every Blob and File in it is uploaded, and its URL sent in its place. */
  input?: Input | undefined;
  /** Endpoint of the app, e.g. `/resize`. Default: the root, or what the id says. */
  path?: string | undefined;
  /** Runners that served this hint before are preferred. */
  hint?: string | undefined;
  /** Longest wait for a runner to begin, in seconds; more than 1. */
  startTimeout?: number | undefined;
  /** Further headers. */
  headers?: Record<string, string> | undefined;
}

export interface RunOptions<Input> extends InvokeOptions<Input> {
  /** Default `POST`. With `GET` the input goes into the query string. */
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | undefined;
}

export interface SubmitOptions<Input> extends InvokeOptions<Input> {
  /** `low` requests run only when no normal one waits. */
  priority?: 'normal' | 'low' | undefined;
  /** Called with the result when it is there. */
  webhookUrl?: string | undefined;
}

export interface SubscribeOptions<Input> extends SubmitOptions<Input> {
  /** Told of every status that was read. */
  onStatus?: ((status: RequestStatus) => void) | undefined;
  /** Ask for log lines with each status. Default `false`. */
  logs?: boolean | undefined;
  /** Default 500. */
  pollIntervalMs?: number | undefined;
}

export interface StatusOptions extends CallOptions {
  /** Ask for log lines. Default `false`. */
  logs?: boolean | undefined;
}

/** What an app answered. */
export interface CallResult<Output> {
  data: Output;
  /** Id of the request, empty when the server sent none. */
  requestId: string;
}

/** A request in the queue. Its id is enough to find it again with `client.status` and `client.result`. */
export interface QueuedRequest<Output> {
  requestId: string;
  status(options?: StatusOptions): Promise<RequestStatus>;
  /** The result of a completed request; throws while it is not complete, and what the app threw. */
  result(options?: CallOptions): Promise<CallResult<Output>>;
  cancel(options?: CallOptions): Promise<void>;
}
