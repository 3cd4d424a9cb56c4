/**
 * What went wrong, as a word that programs may depend on.
 *
 * @example
 * ```ts
 * const passing: ClientErrorCode[] = ['server_unavailable', 'connection_lost', 'timed_out'];
 * ```
 */
export type ClientErrorCode =
  // what the caller gave us
  | 'invalid_argument'
  | 'invalid_key'
  | 'invalid_host'
  | 'invalid_profile'
  | 'invalid_config_file'
  | 'no_credentials'
  | 'login_expired'
  | 'unknown_team'
  | 'client_closed'
  | 'not_supported_here'
  // the way to the server
  | 'host_not_found'
  | 'connection_refused'
  | 'certificate_not_trusted'
  | 'connection_lost'
  | 'server_unavailable'
  | 'timed_out'
  | 'cancelled'
  // what the server said
  | 'unauthenticated'
  | 'permission_denied'
  | 'not_found'
  | 'already_exists'
  | 'conflict'
  | 'rejected'
  | 'too_many_requests'
  | 'not_supported_by_server'
  | 'server_error'
  | 'unexpected_answer'
  // what an app said
  | 'app_error'
  // deploys and runs
  | 'invalid_reference'
  | 'file_not_found'
  | 'app_not_in_file'
  | 'several_apps'
  | 'typescript_app'
  | 'python_not_found'
  | 'python_preparation_failed'
  | 'python_syntax_error'
  | 'python_module_missing'
  | 'app_load_failed'
  | 'pyproject_invalid'
  | 'build_failed'
  | 'deploy_failed'
  | 'upload_failed'
  | 'function_raised'
  | 'result_not_json';

/**
 * What a {@link ClientError} may carry beside its code and message.
 *
 * @example
 * ```ts
 * const options: ClientErrorOptions = { advice: 'Check the host.', details: { host: 'localhost:8443' } };
 * ```
 */
export interface ClientErrorOptions {
  /** The failure underneath. */
  cause?: unknown;
  /** One sentence: what to do about it. */
  advice?: string | undefined;
  /** `x-fal-request-id` of the answer, when there was one. */
  requestId?: string | undefined;
  /** HTTP status of the answer, when the call was plain HTTP. */
  status?: number | undefined;
  /** Structured facts, e.g. `{ candidates: ['First', 'Second'] }`. Never holds secrets. */
  details?: Record<string, unknown>;
}

/**
 * The one error class of this package; everything it throws is one. The code is stable and says what happened, the
 * message says it in a sentence, `advice` says what to do. Subclasses only group codes.
 *
 * @example
 * ```ts
 * import { ServerlessClient, isClientError } from '@lanner/client';
 *
 * await using client = new ServerlessClient();
 * try {
 *   await client.runners.kill('no-such-runner');
 * } catch (error) {
 *   if (!isClientError(error) || error.code !== 'not_found') throw error;
 *   console.log(error.message, error.advice ?? '');
 * }
 * ```
 */
export class ClientError extends Error {
  readonly code: ClientErrorCode;
  readonly advice: string | undefined;
  readonly requestId: string | undefined;
  readonly status: number | undefined;
  readonly details: Record<string, unknown>;

  constructor(code: ClientErrorCode, message: string, options: ClientErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.advice = options.advice;
    this.requestId = options.requestId;
    this.status = options.status;
    this.details = options.details ?? {};
  }
}

/**
 * A setting, key, profile or argument is wrong; nothing was sent.
 *
 * @example
 * ```ts
 * await client.apps.list().then(undefined, (error: unknown) => {
 *   if (error instanceof ConfigurationError) console.log(error.code, error.advice);
 * });
 * ```
 */
export class ConfigurationError extends ClientError {}
/**
 * The server could not be reached or the way to it broke.
 *
 * @example
 * ```ts
 * await client.apps.list().then(undefined, (error: unknown) => {
 *   if (error instanceof ConnectionError) console.log(error.code, error.advice);
 * });
 * ```
 */
export class ConnectionError extends ClientError {}
/**
 * The server answered, and the answer is no.
 *
 * @example
 * ```ts
 * await client.runners.stop('no-such-runner').catch((error: unknown) => {
 *   if (error instanceof ServerError) console.log(error.code, error.requestId);
 * });
 * ```
 */
export class ServerError extends ClientError {}
/**
 * An app answered a call with an error; `body` is what it said.
 *
 * @example
 * ```ts
 * await client.run('me/my-app', { input: {} }).catch((error: unknown) => {
 *   if (error instanceof AppError) console.log(error.status, error.body);
 * });
 * ```
 */
export class AppError extends ClientError {
  /** The decoded body of the app's answer. */
  readonly body: unknown;

  constructor(message: string, body: unknown, options: ClientErrorOptions = {}) {
    super('app_error', message, options);
    this.body = body;
  }
}
/**
 * Loading, building, uploading or registering an app failed.
 *
 * @example
 * ```ts
 * await client.deploy('app.py').catch((error: unknown) => {
 *   if (error instanceof DeployError) console.log(error.code, error.message);
 * });
 * ```
 */
export class DeployError extends ClientError {}

/**
 * True for every error of this package.
 *
 * @example
 * ```ts
 * await client.apps.list().then(undefined, (error: unknown) => console.log(isClientError(error) ? error.code : error));
 * ```
 */
export function isClientError(value: unknown): value is ClientError {
  return value instanceof ClientError;
}
