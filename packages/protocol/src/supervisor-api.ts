/**
 * What server and supervisor say to each other: HTTP/1.1 with JSON bodies over a Unix socket (0600), or over TCP with
 * mutual TLS. Every path begins with `/v1`; the major version in `GET /v1/status` decides whether a server adopts a
 * running supervisor.
 *
 * | call | body → answer |
 * |---|---|
 * | `GET /v1/status` | → {@link SupervisorStatus} |
 * | `GET /v1/events?after=SEQ` | → NDJSON of {@link SupervisorEvent}, for ever. An open stream is the server's lease |
 * | `POST /v1/events/ack` | {@link AckRequest} → 204; events up to `seq` may be forgotten |
 * | `POST /v1/builds` | {@link BuildRequest} → NDJSON of {@link BuildMessage}, last one `done` or `failed`. Closing it does not stop a build others wait for |
 * | `POST /v1/runners` | {@link StartRunnerRequest} → {@link StartRunnerResponse}, at once; the rest arrives as events |
 * | `POST /v1/runners/ID/stop` | {@link StopRequest} → 204 (404 unknown) |
 * | `POST /v1/runners/ID/kill` | → 204 (404 unknown) |
 * | `GET /v1/runners/ID/result` | → bytes of the pickled result; `DELETE` forgets it |
 * | `POST /v1/runners/ID/attempts` | one line of {@link AttemptOrder}, then the body → 204 once the request is on its way; the same id again changes nothing |
 * | `GET /v1/attempts/channel`, upgrade to `lanner-attempts` | lines of {@link AttemptMessage} → lines of {@link AttemptReply}: attempts with small bodies, without a call for each |
 * | `GET /v1/runners/ID/session`, upgraded | a command beside the app: session-frames.ts |
 * | `GET /v1/attempts` | → list of {@link AttemptSnapshot}: running ones, and finished ones that were not forgotten |
 * | `GET /v1/attempts/ID/result` | → bytes of the answer's body |
 * | `DELETE /v1/attempts/ID` | → 204; a finished attempt and its result are forgotten |
 * | `POST /v1/shutdown` | {@link StopRequest} → 204, then everything ends |
 *
 * Errors: status of the catalogue, body {@link SupervisorErrorBody}.
 */
import type { ErrorCode } from './error-catalogue.ts';

/** Raised when a change breaks older peers; a server adopts supervisors of this version and the one before. */
export const supervisorProtocolVersion = 2;

/** See {@link AttemptMessage}. */
export const attemptChannel = { path: '/v1/attempts/channel', protocol: 'lanner-attempts' };

/** Exit status of a supervisor that finds another one on its data folder. */
export const supervisorLockedStatus = 75;

/** JSON as it travels. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface SupervisorErrorBody {
  code: ErrorCode;
  message: string;
}

export interface SupervisorStatus {
  protocolVersion: number;
  /** Lanner's own version. */
  version: string;
  pid: number;
  /** New at every start of a supervisor; event sequence numbers belong to it. */
  bootId: string;
  startedAtMs: number;
  isolation: {
    level: 'namespaces' | 'process-group';
    reason: string;
    /**
     * Whose sockets get their runner's own address: those of every program (the kernel hands their calls over), or those
     * of Python alone. Missing from supervisors that know only the latter.
     */
    addresses?: 'kernel' | 'python';
    /** Why only Python's. */
    addressesReason?: string;
    /** Each account's runners have a uid of their own ({@link accountUid}). Missing from older supervisors. */
    ownUids?: boolean;
  };
  /** Live runners, and ended ones whose final event is not acknowledged yet. */
  runners: RunnerSnapshot[];
  lastSeq: number;
}

/** What a Python environment is made of: the client's definition, untouched. */
export interface EnvironmentDefinition {
  kind: 'virtualenv' | 'container' | 'conda';
  /** The Struct the client sent: `python_version`, `requirements`, `resolver` … */
  configuration: { [key: string]: Json };
}

export interface BuildRequest {
  accountId: string;
  /** Small number, unique per account; a root supervisor derives the account's uid from it. */
  accountOrdinal: number;
  environment: EnvironmentDefinition;
  /** Values for `${NAME}` in requirements; no part of the environment's identity. Never logged. */
  requirementSecrets?: Record<string, string>;
  /** Build anew although a finished tree exists. */
  force: boolean;
}

export type BuildMessage =
  | { type: 'log'; atMs: number; level: LogLevel; line: string }
  /** `environmentId`: content hash of the definition; `cached`: nothing had to be built. */
  | { type: 'done'; environmentId: string; cached: boolean }
  | { type: 'failed'; code: ErrorCode; message: string };

/** How the code of a runner is found. Blobs are content-addressed (SHA-256, hex) in the blob store. */
export type Callable =
  | { kind: 'serialized'; method: string; blob: string; setup?: { method: string; blob: string } }
  | { kind: 'entrypoint'; entrypoint: string };

export interface AppFile {
  /** SHA-256 over bytes and mode, as the client computes it; also the blob's name. */
  hash: string;
  /** POSIX, below /app. */
  relativePath: string;
  /** st_mode, e.g. 0o100644. */
  mode: number;
}

export interface HealthCheck {
  path: string;
  /** Absent: try GET first. */
  method?: 'GET' | 'POST';
  startPeriodMs: number;
  timeoutMs: number;
  failureThreshold: number;
  callRegularly: boolean;
}

export interface StartRunnerRequest {
  runnerId: string;
  accountId: string;
  /** As in {@link BuildRequest}. */
  accountOrdinal: number;
  /** Revision or run this runner belongs to; a label for logs. */
  revisionId: string;
  /** Public name, `owner/app`. */
  appName: string;
  environment: EnvironmentDefinition;
  /** As in {@link BuildRequest}: should the environment have to be built again. */
  requirementSecrets?: Record<string, string>;
  callable: Callable;
  /** `serve`: lives until stopped, a return is a failure. `run`: lives until the callable returns. */
  purpose: 'serve' | 'run';
  runOnMainThread: boolean;
  /** Port the app listens on; absent for plain functions. */
  exposedPort?: number;
  metricsPort?: number;
  healthCheck?: HealthCheck;
  startupTimeoutMs: number;
  /** Between SIGTERM and SIGKILL when the supervisor ends a runner on its own account. */
  graceMs: number;
  files: AppFile[];
  /** Absolute paths below /data; empty = all of /data. */
  dataMounts: string[];
  /** Environment variables, secrets included. Never logged, never in process arguments. */
  env: Record<string, string>;
  limits: { memoryMiB: number; cpus: number };
  /** Name of the shape behind `limits`; a label that the snapshot repeats. Older servers leave it out. */
  machineType?: string;
}

export interface StartRunnerResponse {
  runnerId: string;
  /** The runner's own address on this machine, e.g. `127.83.4.9`; the app listens there on `exposedPort`. */
  address: string;
}

export interface StopRequest {
  /** Time between SIGTERM and SIGKILL. */
  graceMs: number;
}

export interface AckRequest {
  bootId: string;
  seq: number;
}

/**
 * `starting`: environment, fork, sandbox. `setup`: the callable is running, nothing listens yet. `ready`: the port is
 * open and the health check passed (for `run` without a port: never). `stopping`: SIGTERM was sent. `exited`: gone.
 */
export type RunnerPhase = 'starting' | 'setup' | 'ready' | 'stopping' | 'exited';

export type ExitReason =
  /** The callable returned or raised (purpose `run`). */
  | 'finished'
  /** Asked to stop. */
  | 'stopped'
  | 'killed'
  /** Ended by itself although it should serve, or died by a signal. */
  | 'crashed'
  | 'startup_timeout'
  | 'unhealthy'
  | 'out_of_memory'
  | 'build_failed'
  | 'sandbox_failed';

export interface RunnerExit {
  reason: ExitReason;
  /** Exit status, or null when a signal ended it. */
  code: number | null;
  /** e.g. `SIGKILL`, or null. */
  signal: string | null;
  /** One sentence for people. */
  message: string;
}

/** Result of a callable that returned or raised. Its bytes wait at `GET /v1/runners/ID/result`. */
export interface RunnerResult {
  method: string;
  sizeBytes: number;
  wasRaised: boolean;
  stringizedTraceback?: string;
  exceptionTypeName?: string;
  exceptionMessage?: string;
  /** The result exists but cannot be pickled, or the callable could not be loaded: no bytes then. */
  failure?: { code: ErrorCode; message: string };
}

/** One try of a queued request, executed by the supervisor against the app: it goes on when the server dies. */
export interface AttemptOrder {
  /** Chosen by the server, never used twice; also the lease token of the attempt. */
  attemptId: string;
  /** Which request of the server's store it is for, and its how-manieth attempt: a server that died before it wrote this down learns it again. */
  requestNumber: number;
  attemptNumber: number;
  /** Where the app listens on the runner's address. */
  port: number;
  method: string;
  /** With the query. */
  path: string;
  /** Name, value, name, value … without length and transfer encoding. */
  headers: string[];
  /** Bytes that follow the line of this order. */
  bodyBytes: number;
  /** The app's request_timeout: the connection is cut after it. */
  timeoutMs: number;
}

/** What a server says on the channel for attempts, one JSON value per line. */
export type AttemptMessage =
  /** `body`: base64. The same attempt id again changes nothing. */
  | { type: 'start'; runnerId: string; order: AttemptOrder; body: string }
  /** Not answered. */
  | { type: 'forget'; attemptId: string };

/** The answer to a `start`: the request is on its way, or was refused with a code of the catalogue. */
export interface AttemptReply {
  attemptId: string;
  code?: ErrorCode;
  message?: string;
}

/** Why an attempt has no answer. */
export type AttemptFailure =
  | 'refused'
  | 'connect-timeout'
  | 'connect-error'
  /** The runner ended the connection before it answered. */
  | 'disconnected'
  /** Not HTTP, truncated, or larger than allowed. */
  | 'bad-answer'
  /** The request cannot be put on the wire. */
  | 'bad-request'
  /** `timeoutMs` passed. */
  | 'timeout';

/** How an attempt ended. Kept by the supervisor until it is forgotten. */
export type AttemptOutcome = { startedAtMs: number; durationMs: number } & (
  | {
      kind: 'answered';
      status: number;
      /** Names in lower case; several values of one name as a list. */
      headers: Record<string, string | string[]>;
      sizeBytes: number;
      /** A small body itself, base64; absent: fetch it. */
      body?: string;
    }
  | { kind: 'failed'; failure: AttemptFailure }
);

export interface AttemptSnapshot {
  attemptId: string;
  runnerId: string;
  /** As ordered. */
  requestNumber: number;
  attemptNumber: number;
  startedAtMs: number;
  /** Absent while it runs. */
  outcome?: AttemptOutcome | undefined;
}

export interface RunnerSnapshot {
  runnerId: string;
  accountId: string;
  revisionId: string;
  appName: string;
  purpose: 'serve' | 'run';
  phase: RunnerPhase;
  address: string;
  exposedPort?: number;
  /** As in {@link StartRunnerRequest}. */
  machineType?: string;
  startedAtMs: number;
  readyAtMs?: number;
  exit?: RunnerExit;
  result?: RunnerResult;
}

export type LogLevel = 'trace' | 'debug' | 'info' | 'warning' | 'error' | 'stdout' | 'stderr';
export type LogSource = 'builder' | 'bridge' | 'user';

export type SupervisorEvent = { seq: number; atMs: number } & (
  | { type: 'runner.phase'; runnerId: string; phase: 'starting' | 'setup' | 'ready' | 'stopping' }
  | {
      type: 'runner.log';
      runnerId: string;
      source: LogSource;
      stream: 'stdout' | 'stderr' | 'bridge';
      level: LogLevel;
      line: string;
      labels?: Record<string, string>;
    }
  /** Lines were dropped because nobody read them in time or the runner passed its limit. */
  | { type: 'runner.log-gap'; runnerId: string; droppedLines: number }
  | { type: 'runner.result'; runnerId: string; result: RunnerResult }
  | { type: 'attempt.finished'; runnerId: string; attemptId: string; outcome: AttemptOutcome }
  /** Always the last event of a runner; the end of an attempt on it may come later. */
  | { type: 'runner.exited'; runnerId: string; exit: RunnerExit }
  /** Keeps the stream alive; not stored, `seq` repeats the last one. */
  | { type: 'heartbeat' }
);
