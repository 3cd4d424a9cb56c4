import type { LiveRequest, RequestOrigin } from './live-request.ts';
import type { RetryPolicy } from './retry-policy.ts';

/** What a caller asked for beside the request itself. */
export interface RequestOptions {
  hint?: string;
  retry?: RetryPolicy;
  /** Retries spent, by condition. */
  spent?: Record<string, number>;
  /** Do not keep input and output longer than needed. */
  discardIo?: boolean;
  /** Of a call of a workflow: what it executes, and how many workflows called each other on the way to it. */
  workflow?: { version: number; depth: number };
  /** Told of the end. */
  webhook?: string;
}

/** A body in the row, or the name of the blob that holds it. */
export interface StoredBody {
  bytes: Uint8Array | null;
  blob: string | null;
  sizeBytes: number;
}

export interface StoredInput {
  method: string;
  /** With the query. */
  path: string;
  /** Name, value, name, value … */
  headers: string[];
  body: StoredBody;
}

/** A request as it is submitted. */
export interface NewRequest extends RequestOrigin {
  requestId: string;
  priority: 'normal' | 'low';
  startDeadlineMs: number | null;
  options: RequestOptions;
  submittedAtMs: number;
  input: StoredInput;
}

/** How a request ended, for good. */
export interface RequestResult {
  status: number;
  headers: Record<string, string | string[]>;
  body: StoredBody;
  /** Set when it failed. */
  error: string | null;
  errorType: string | null;
  /** Time of the last attempt at the app; null when none was made. */
  inferenceMs: number | null;
  endedAtMs: number;
}

export interface EndedRequest extends RequestResult {
  requestId: string;
  accountId: string;
  appId: string;
  callerAccountId: string | null;
  runnerId: string | null;
  attempts: number;
  startedAtMs: number | null;
  submittedAtMs: number;
  /** Whether input and output are still there; `brief`: not for long. */
  payloads: 'kept' | 'brief' | 'deleted';
}

/** An attempt that begins. */
export interface Claim {
  /** Its lease: nobody else can end it. */
  lease: string;
  runnerId: string;
  /** Of whatever executes it. */
  generation: string | null;
  atMs: number;
}

/**
 * Requests at rest. Each verb is one guarded transaction and resolves once it is durable; `false` means that the request was
 * not in the state the verb starts from (request-state.ts), and nothing was changed.
 *
 * Nothing waits for a claim to be durable: whatever executes the attempt knows which request it is for. So the verbs that
 * leave or mark a running request take its claim along while it is not known to be written, and make good for it.
 */
export interface RequestStore {
  /** Resolves with the request's number. */
  add(request: NewRequest): Promise<number>;
  /** Joins the next commit: it may take some milliseconds. */
  claim(number: number, claim: Claim): Promise<boolean>;
  /** Back to waiting. `attempts`: how many count now. */
  requeue(
    number: number,
    lease: string,
    next: { notBeforeMs: number; attempts: number; options: RequestOptions },
    claim?: Claim,
  ): Promise<boolean>;
  /** Ends a request. Its webhook enters the outbox with it; input that is not to be kept goes. */
  finish(number: number, lease: string, result: RequestResult, claim?: Claim): Promise<boolean>;
  finishWaiting(number: number, result: RequestResult): Promise<boolean>;
  requestCancel(number: number, claim?: Claim): Promise<boolean>;
  readInput(number: number): Promise<StoredInput | null>;
  findEnded(requestId: string): Promise<EndedRequest | null>;
  /** Live requests after a number, in order. */
  listLive(afterNumber: number, limit: number): Promise<LiveRequest[]>;
  /** Removes at most `limit` results that ended before, and their inputs. Resolves with how many. */
  sweep(endedBeforeMs: number, limit: number): Promise<number>;
}
