/** Whose fault an error is: the caller's, the app's own code, or the platform's. */
export type Fault = 'caller' | 'app' | 'platform';

/** gRPC status names that Lanner answers with. */
export type RpcCode =
  | 'invalid_argument'
  | 'not_found'
  | 'already_exists'
  | 'permission_denied'
  | 'unauthenticated'
  | 'failed_precondition'
  | 'resource_exhausted'
  | 'unimplemented'
  | 'aborted'
  | 'unknown'
  | 'unavailable'
  | 'deadline_exceeded'
  | 'internal';

/** One row of the catalogue. */
export interface ErrorEntry {
  /** HTTP status of REST and gateway answers. */
  httpStatus: number;
  /** gRPC status of controller answers. `unavailable` is retried by clients on every method: avoid it after side effects. */
  rpcCode: RpcCode;
  fault: Fault;
  /** Sent as `error_type` in the body and `x-fal-error-type` by the gateway (data-plane error vocabulary). */
  errorType?: string;
  /** One line for the documentation page. */
  summary: string;
}

const entry = (
  httpStatus: number,
  rpcCode: RpcCode,
  fault: Fault,
  summary: string,
  errorType?: string,
): ErrorEntry => ({ httpStatus, rpcCode, fault, summary, ...(errorType === undefined ? {} : { errorType }) });

/** Every error Lanner can answer with, one entry each. `docs/errors.md` is generated from it. */
export const errorCatalogue = {
  // who is calling
  missing_credentials: entry(401, 'unauthenticated', 'caller', 'No credentials were sent.'),
  malformed_credentials: entry(401, 'unauthenticated', 'caller', 'The authorization header has a wrong form.'),
  unknown_key: entry(401, 'unauthenticated', 'caller', 'No user has this key, or it was revoked.'),
  invalid_token: entry(
    401,
    'unauthenticated',
    'caller',
    'The short-lived token is no token of ours, has expired, or was revoked.',
  ),
  token_not_for_app: entry(403, 'permission_denied', 'caller', 'The short-lived token is for another app.'),
  insufficient_permissions: entry(403, 'permission_denied', 'caller', 'The key lacks the permission for this call.'),
  file_access_denied: entry(403, 'permission_denied', 'caller', 'The owner of the file does not let this reader in.'),
  app_access_denied: entry(403, 'permission_denied', 'caller', 'The app is private to another account.'),
  // what is asked for
  not_found: entry(404, 'not_found', 'caller', 'The thing named does not exist in this account.'),
  app_not_found: entry(404, 'not_found', 'caller', 'No app has this owner and name.'),
  runner_not_found: entry(404, 'not_found', 'caller', 'No such runner in this account.'),
  revision_not_found: entry(404, 'not_found', 'caller', 'No such revision in this account.'),
  result_deleted: entry(410, 'not_found', 'caller', 'The result was deleted, or its time is over.'),
  already_exists: entry(409, 'already_exists', 'caller', 'The name is taken.'),
  conflict: entry(409, 'failed_precondition', 'caller', 'The state of the thing does not allow this.'),
  bad_request: entry(400, 'invalid_argument', 'caller', 'The request cannot be read.', 'bad_request'),
  invalid_argument: entry(422, 'invalid_argument', 'caller', 'A value in the request is out of its range.'),
  method_not_allowed: entry(405, 'unimplemented', 'caller', 'The route exists, the method does not.'),
  payload_too_large: entry(413, 'resource_exhausted', 'caller', 'The body is larger than the limit.'),
  range_not_satisfiable: entry(416, 'invalid_argument', 'caller', 'The file has no such bytes.'),
  precondition_failed: entry(412, 'failed_precondition', 'caller', 'The file is not the version that was asked for.'),
  headers_too_large: entry(431, 'resource_exhausted', 'caller', 'The headers are larger than the limit.'),
  unimplemented: entry(501, 'unimplemented', 'platform', 'Lanner does not do this yet.'),
  too_many_requests: entry(429, 'resource_exhausted', 'caller', 'A queue or limit is full; try again later.'),
  // building and starting
  build_failed: entry(500, 'invalid_argument', 'app', 'The environment could not be built; the log says why.'),
  deserialization_failed: entry(500, 'invalid_argument', 'app', 'The shipped function could not be loaded.'),
  result_not_serializable: entry(500, 'invalid_argument', 'app', 'The result of the function cannot be pickled.'),
  runner_crashed: entry(503, 'aborted', 'app', 'The runner ended before it answered.', 'runner_disconnected'),
  rollout_failed: entry(500, 'failed_precondition', 'app', 'No runner of the new revision became ready.'),
  startup_timeout: entry(504, 'failed_precondition', 'app', 'No runner became ready in time.', 'startup_timeout'),
  startup_failed: entry(
    503,
    'failed_precondition',
    'app',
    'Runners of this app fail to start.',
    'runner_scheduling_failure',
  ),
  no_capacity: entry(503, 'resource_exhausted', 'platform', 'No machine can run this.', 'runner_scheduling_failure'),
  app_suspended: entry(
    503,
    'failed_precondition',
    'caller',
    'The app was stopped by its owner.',
    'runner_scheduling_failure',
  ),
  // one call through the gateway
  request_timeout: entry(
    504,
    'deadline_exceeded',
    'app',
    'The app did not answer within request_timeout.',
    'request_timeout',
  ),
  start_timeout: entry(
    504,
    'deadline_exceeded',
    'caller',
    'No runner took the request before its start deadline.',
    'request_timeout',
  ),
  app_refused_socket: entry(502, 'aborted', 'app', 'The app refused a WebSocket.', 'runner_server_error'),
  runner_connection_timeout: entry(
    503,
    'aborted',
    'app',
    'The runner did not accept a connection in time.',
    'runner_connection_timeout',
  ),
  runner_connection_refused: entry(
    503,
    'aborted',
    'app',
    'The runner refused the connection.',
    'runner_connection_refused',
  ),
  runner_connection_error: entry(
    503,
    'aborted',
    'app',
    'The connection to the runner failed.',
    'runner_connection_error',
  ),
  runner_disconnected: entry(
    503,
    'aborted',
    'app',
    'The runner closed the connection before answering.',
    'runner_disconnected',
  ),
  runner_incomplete_response: entry(
    502,
    'aborted',
    'app',
    'The runner sent a broken or truncated answer.',
    'runner_incomplete_response',
  ),
  client_disconnected: entry(499, 'aborted', 'caller', 'The caller went away.', 'client_disconnected'),
  client_cancelled: entry(499, 'aborted', 'caller', 'The queued request was cancelled.', 'client_cancelled'),
  // the platform itself
  shutting_down: entry(503, 'unavailable', 'platform', 'The server is stopping.', 'internal_error'),
  session_failed: entry(
    500,
    'failed_precondition',
    'platform',
    'A command could not be started in a runner.',
    'internal_error',
  ),
  supervisor_unavailable: entry(503, 'aborted', 'platform', 'The supervisor cannot be reached.', 'internal_error'),
  database_busy: entry(503, 'aborted', 'platform', 'Another program holds the database.', 'internal_error'),
  storage_full: entry(507, 'resource_exhausted', 'platform', 'The disk of the platform is full; nothing was stored.'),
  data_dir_locked: entry(500, 'failed_precondition', 'platform', 'Another server uses this data folder.'),
  schema_too_new: entry(500, 'failed_precondition', 'platform', 'The database was written by a newer Lanner.'),
  schema_changed: entry(
    500,
    'failed_precondition',
    'platform',
    'An applied migration differs from the file of this Lanner.',
  ),
  config_invalid: entry(500, 'invalid_argument', 'caller', 'A setting has a value that cannot be used.'),
  internal_error: entry(500, 'internal', 'platform', 'A defect in Lanner; the log has the details.', 'internal_error'),
} as const satisfies Record<string, ErrorEntry>;

/** A key of the catalogue. */
export type ErrorCode = keyof typeof errorCatalogue;
