import { LannerError, type AttemptFailure, type AttemptOutcome } from '@lanner/protocol';
import type { RequestResult, StoredBody } from '../../queue/request-store.ts';
import { toErrorAnswer } from '../send-error.ts';
import { toGatewayError } from '../to-gateway-error.ts';

type Answered = Extract<AttemptOutcome, { kind: 'answered' }>;

/** Belong to one transfer, or are written anew with every answer. */
const notStoredNames: ReadonlySet<string> = new Set(['date', 'server', 'content-length', 'x-fal-request-id']);

/** What an app says about CORS is for the page that submitted; the result may be fetched by another. */
const isStored = (name: string): boolean => !notStoredNames.has(name) && !name.startsWith('access-control-');

/** An end that the platform makes itself. */
export function toErrorResult(error: LannerError, requestId: string, endedAtMs: number): RequestResult {
  const { status, headers, body } = toErrorAnswer(error, requestId);
  const stored: RequestResult['headers'] = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && isStored(name)) stored[name] = Array.isArray(value) ? value : String(value);
  }
  const bytes = Buffer.from(body);
  return {
    status,
    headers: stored,
    body: { bytes, blob: null, sizeBytes: bytes.length },
    error: error.message,
    errorType: error.entry.errorType ?? null,
    inferenceMs: null,
    endedAtMs,
  };
}

/** An answer of the app as the end of a request. `headers` are those a caller may see. */
export function toAnswerResult(
  answer: Answered,
  headers: Record<string, string | string[]>,
  body: StoredBody,
  endedAtMs: number,
): RequestResult {
  const stored: RequestResult['headers'] = {};
  for (const [name, value] of Object.entries(headers)) if (isStored(name)) stored[name] = value;
  const failed = answer.status >= 400;
  const said = failed ? readError(body) : null;
  const errorType = said?.type ?? answer.headers['x-fal-error-type'] ?? null;
  return {
    status: answer.status,
    headers: stored,
    body,
    error: failed ? (said?.detail ?? `Invalid status code: ${answer.status}`) : null,
    errorType: failed && errorType !== null ? String(errorType) : null,
    inferenceMs: answer.durationMs,
    endedAtMs,
  };
}

/** The error of an attempt without an answer (platform-semantics 5.7). */
export function toAttemptError(failure: AttemptFailure, requestTimeoutSeconds: number): LannerError {
  if (failure === 'timeout') {
    return new LannerError(
      'request_timeout',
      `The app did not finish within its request_timeout of ${requestTimeoutSeconds} s.`,
    );
  }
  return toGatewayError({ kind: failure, cause: null });
}

function readError({ bytes }: StoredBody): { detail?: string; type?: string } | null {
  if (bytes === null || bytes.length > 16 * 1024) return null;
  try {
    const value = JSON.parse(Buffer.from(bytes).toString()) as { detail?: unknown; error_type?: unknown } | null;
    return {
      ...(typeof value?.detail === 'string' ? { detail: value.detail.slice(0, 2000) } : {}),
      ...(typeof value?.error_type === 'string' ? { type: value.error_type.slice(0, 100) } : {}),
    };
  } catch {
    return null;
  }
}
