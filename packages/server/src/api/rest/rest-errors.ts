import { randomUUID } from 'node:crypto';
import { isLannerError, LannerError, toLannerError } from '@lanner/protocol';
import type { z } from 'zod';
import type { ApiLog } from '../api-log.ts';

/** One finding of a validation, in the shape the official clients parse. */
export interface ValidationFinding {
  loc: (string | number)[];
  msg: string;
  type: string;
}

/** A body or query that does not fit; becomes 422 with a list of findings. */
export class ValidationError extends LannerError {
  readonly findings: ValidationFinding[];

  constructor(findings: ValidationFinding[]) {
    super('invalid_argument', findings.map((finding) => `${finding.loc.join('.')}: ${finding.msg}`).join('; '));
    this.findings = findings;
  }
}

/** @param place where the value was found: `body`, `query` or `path`. */
export function toValidationError(place: string, error: z.ZodError): ValidationError {
  return new ValidationError(
    error.issues.map((issue) => ({
      loc: [place, ...issue.path.map((part) => (typeof part === 'number' ? part : String(part)))],
      msg: issue.message,
      type: `value_error.${issue.code}`,
    })),
  );
}

/** What the Platform API answers beside `detail` (rest-api 5.1). */
export function toPlatformError(
  status: number,
  detail: unknown,
  requestId: string,
): { type: string; message: string; request_id: string } {
  const message =
    typeof detail === 'string' ? detail : (detail as ValidationFinding[]).map(({ msg }) => msg).join('; ');
  return {
    type: platformErrorTypes[status] ?? (status < 500 ? 'validation_error' : 'server_error'),
    message,
    request_id: requestId,
  };
}

const platformErrorTypes: Record<number, string> = {
  401: 'authorization_error',
  403: 'authorization_error',
  404: 'not_found',
  405: 'not_found',
  429: 'rate_limited',
  501: 'not_implemented',
};

/** Any thrown value as status and body; defects of ours are logged with an id, and the caller is told the id only. */
export function toRestAnswer(error: unknown, log: ApiLog): { status: number; body: { detail: unknown } } {
  if (error instanceof ValidationError) return { status: 422, body: { detail: error.findings } };
  if (isLannerError(error) && error.code !== 'internal_error') {
    return { status: error.entry.httpStatus, body: { detail: error.message } };
  }
  const errorId = randomUUID();
  log.error({ err: error, errorId }, 'rest call failed');
  return { status: 500, body: { detail: `${toLannerError(error).message} (error ${errorId})` } };
}
