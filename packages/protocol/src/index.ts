/**
 * What every part of Lanner shares: errors and their catalogue, the clock, the supervisor's API, where blobs lie.
 *
 * The gRPC messages are generated from `proto/` and have subpaths of their own, so that nobody loads them by accident:
 *
 * ```ts
 * import { create } from '@bufbuild/protobuf';
 * import { IsolateController, HostedRunResultSchema, type HostedRun } from '@lanner/protocol/controller';
 * import { LogLevel, SerializedObjectSchema } from '@lanner/protocol/common'; // common.proto
 * import { type EnvironmentDefinition } from '@lanner/protocol/isolate'; // server.proto
 * import { FunctionCallSchema } from '@lanner/protocol/agent';
 * import { Health, HealthCheckResponse_ServingStatus } from '@lanner/protocol/health';
 *
 * const message = create(HostedRunResultSchema, { runId: 'run_1', logs: [{ message: 'hi', level: LogLevel.INFO }] });
 * ```
 *
 * Services go to `router.service(IsolateController, …)` of Connect. A field with explicit presence is `undefined` when it
 * was not sent. Unknown fields of a message are kept (`$unknown`) as long as it is not rebuilt field by field.
 */
export { LannerError, isLannerError, toLannerError, type LannerErrorOptions } from './lanner-error.ts';
export { errorCatalogue, type ErrorCode, type ErrorEntry, type Fault, type RpcCode } from './error-catalogue.ts';
export {
  attemptChannel,
  supervisorLockedStatus,
  supervisorProtocolVersion,
  type AckRequest,
  type AppFile,
  type AttemptFailure,
  type AttemptMessage,
  type AttemptOrder,
  type AttemptOutcome,
  type AttemptReply,
  type AttemptSnapshot,
  type BuildMessage,
  type BuildRequest,
  type Callable,
  type EnvironmentDefinition,
  type ExitReason,
  type HealthCheck,
  type Json,
  type LogLevel,
  type LogSource,
  type RunnerExit,
  type RunnerPhase,
  type RunnerResult,
  type RunnerSnapshot,
  type StartRunnerRequest,
  type StartRunnerResponse,
  type StopRequest,
  type SupervisorErrorBody,
  type SupervisorEvent,
  type SupervisorStatus,
} from './supervisor-api.ts';
export { systemClock, type Clock, type Timer, type TimerOptions } from './clock.ts';
export { blobRelativePath } from './blob-layout.ts';
export { accountUid } from './account-uid.ts';
export {
  encodeSessionFrame,
  SessionFrameParser,
  sessionProtocol,
  type SessionFrame,
  type SessionFrameKind,
  type SessionOrder,
  type SessionSize,
} from './session-frames.ts';
