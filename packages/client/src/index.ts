/** The TypeScript client of Lanner and fal Serverless. */
export { ServerlessClient, type ServerlessClientOptions } from './serverless-client.ts';
export type { CallingClient } from './calls/calling-client.ts';
export {
  AppError,
  ClientError,
  ConfigurationError,
  ConnectionError,
  DeployError,
  ServerError,
  isClientError,
  type ClientErrorCode,
  type ClientErrorOptions,
} from './errors/client-error.ts';

export type { CallOptions, EnvironmentCallOptions } from './transport/call-options.ts';
export type { Listing } from './transport/listing.ts';
export type { Fetch } from './transport/http-transport.ts';
export type { Environment } from './resolve/environment.ts';
export { inspectSettings, type SettingsReport } from './resolve/inspect-settings.ts';

export type {
  AppsListOptions,
  AppsNamespace,
  AppsRolloutOptions,
  AppsRunnersOptions,
  AppsScaleOptions,
  AppsSetRevisionOptions,
  DeploymentStrategyName,
} from './namespaces/apps.ts';
export type { RunnersListOptions, RunnersNamespace, RunnersStopOptions } from './namespaces/runners.ts';
export type { FollowLogsOptions, LogEntry, LogsOptions } from './namespaces/runner-logs.ts';
export type { RunnerSessionOptions, TerminalSize } from './namespaces/runner-session.ts';
export type { KeysCreateOptions, KeysNamespace } from './namespaces/keys.ts';
export type { SecretsNamespace, SecretsSetOptions } from './namespaces/secrets.ts';
export type { EnvironmentsCreateOptions, EnvironmentsNamespace } from './namespaces/environments.ts';
export type { QueueFlushOptions, QueueNamespace, QueueSize, QueueSizeOptions } from './namespaces/queue.ts';
export type { RotateKeyOptions, WebhooksListOptions, WebhooksNamespace } from './namespaces/webhooks.ts';
export type { AccountsNamespace } from './namespaces/accounts.ts';

export type { AppInfo, AuthMode, RevisionInfo, ScaleInfo } from './records/app.ts';
export type { ReplaceState, RunnerInfo, RunnerLease, RunnerState } from './records/runner.ts';
export type { CreatedKey, EnvironmentInfo, KeyInfo, KeyPreset, KeyScope, SecretInfo } from './records/access.ts';
export type { AccountInfo } from './records/account.ts';
export type { WebhookAttempt, WebhookInfo, WebhookKeyInfo, WebhookStatus } from './records/webhook.ts';
export type { GpuCounts } from './records/gpu-counts.ts';
export type { Unknown } from './records/known-or-number.ts';

export type { AppReference } from './deploy/app-reference.ts';
export type {
  DeployOptions,
  DeployPhase,
  DeployProgress,
  Deployment,
  LoadOptions,
  LoadedPlan,
  ProgressLog,
  RunReferenceOptions,
  ServiceUrls,
} from './deploy/deploy-types.ts';
export type { RealtimeNamespace } from './realtime/realtime.ts';
export type { RealtimeConnection, RealtimeOptions, RealtimeState } from './realtime/realtime-types.ts';
export type {
  CallResult,
  InvokeOptions,
  QueuedRequest,
  RunOptions,
  StatusOptions,
  SubmitOptions,
  SubscribeOptions,
} from './calls/call-types.ts';
export type { RequestLog, RequestStatus } from './calls/request-state.ts';

export type { StorageNamespace } from './files/storage.ts';
export type { FileEntry, FilesNamespace, FilesTransferOptions } from './files/files.ts';
export type { FileAccess, FileDecision, StorageUploadOptions, UploadProgress } from './files/upload-options.ts';
export type { UploadContent } from './files/upload-source.ts';
