import { errorCatalogue, type ErrorCode, type ErrorEntry } from './error-catalogue.ts';

const marker: unique symbol = Symbol.for('lanner.error') as never;

/** What a {@link LannerError} may carry beside its code and message. */
export interface LannerErrorOptions {
  /** The failure underneath; kept for logs, never shown to callers. */
  cause?: unknown;
  /** Structured facts for logs and JSON answers. Must not hold secrets. */
  details?: Record<string, unknown>;
}

/**
 * The one error class of Lanner. The code decides everything else (HTTP status, RPC code, whose fault it is) through
 * the catalogue; the message is a full sentence that says what was seen and what to do.
 *
 * Recognise it with {@link isLannerError}, which survives two copies of this package.
 */
export class LannerError extends Error {
  readonly code: ErrorCode;
  readonly details: Record<string, unknown>;
  readonly [marker] = true;

  constructor(code: ErrorCode, message: string, options: LannerErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'LannerError';
    this.code = code;
    this.details = options.details ?? {};
  }

  /** The catalogue entry of this error's code. */
  get entry(): ErrorEntry {
    return errorCatalogue[this.code];
  }
}

/** True for any LannerError, also one made by another copy of this package. */
export function isLannerError(value: unknown): value is LannerError {
  return typeof value === 'object' && value !== null && marker in value;
}

/** Any thrown value as a LannerError: unknown ones become `internal_error` with the original as cause. */
export function toLannerError(value: unknown): LannerError {
  if (isLannerError(value)) return value;
  return new LannerError('internal_error', 'Something went wrong inside Lanner. The server log has the details.', {
    cause: value,
  });
}
