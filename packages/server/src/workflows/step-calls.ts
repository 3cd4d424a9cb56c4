import { createHash } from 'node:crypto';
import type { Json } from '@lanner/protocol';

/** The call of an app that a node makes. */
export interface StepCall {
  /** From {@link stepRequestId}. */
  requestId: string;
  /** `owner/app[/path]`. */
  app: string;
  input: Json;
}

/** How a call ended. */
export interface StepAnswer {
  status: number;
  /** undefined: it is no JSON, or too large to be passed on. */
  body: Json | undefined;
}

/** What a run of a workflow needs of the queue, on behalf of the one who started it. */
export interface StepCalls {
  /**
   * Puts a call into the queue; durable when it resolves.
   * @throws LannerError when the app is not there for the caller, or `shutting_down`.
   */
  submit(call: StepCall): Promise<void>;
  /** `live`: it has not ended; null: there is no such call. */
  read(requestId: string): Promise<StepAnswer | 'live' | null>;
  /** Calls back after every change of a call, and when the queue stops. */
  observe(requestId: string, listener: () => void): () => void;
  /** Takes a call back. */
  cancel(requestId: string): Promise<void>;
}

/**
 * The request id of a node's call: the same whenever the node is come to again. So a run that is taken up after a crash finds
 * the calls it made, and no node is called twice. A UUID of version 8 (RFC 9562).
 */
export function stepRequestId(workflowRequestId: string, nodeId: string): string {
  const bytes = createHash('sha256').update(`workflow step\n${workflowRequestId}\n${nodeId}`).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
