/** The TypeScript client of Lanner and fal Serverless for browsers and edge runtimes: no module of Node is needed. */
export { ServerlessClient, type BrowserClientOptions, type BrowserRunners } from './browser-client.ts';
export type { CallingClient } from './calls/calling-client.ts';
export {
  AppError,
  ClientError,
  ConfigurationError,
  ConnectionError,
  ServerError,
  isClientError,
  type ClientErrorCode,
  type ClientErrorOptions,
} from './errors/client-error.ts';

export type { CallOptions } from './transport/call-options.ts';
export type { Listing } from './transport/listing.ts';
export type { Fetch } from './transport/http-transport.ts';
export type { Environment } from './resolve/environment.ts';
export type { AccountsNamespace } from './namespaces/accounts.ts';
export type { QueueFlushOptions, QueueNamespace, QueueSize, QueueSizeOptions } from './namespaces/queue.ts';
export type { FollowLogsOptions, LogEntry, LogsOptions } from './namespaces/runner-logs.ts';
export type { AccountInfo } from './records/account.ts';
export type { GpuCounts } from './records/gpu-counts.ts';
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
export type { FileAccess, FileDecision, StorageUploadOptions, UploadProgress } from './files/upload-options.ts';
export type { UploadContent } from './files/upload-source.ts';
