import { errorCatalogue, type ErrorCode, type RunnerResult } from '@lanner/protocol';
import type { FrameHeader } from '../lib/frames.ts';

const maxTextChars = 256 * 1024;

/**
 * Reads a `result` frame. Texts are cut at 256 Ki characters each: they travel inside events.
 * @param payloadBytes size of the pickled bytes behind it.
 */
export function parseResult(header: FrameHeader, payloadBytes: number): RunnerResult {
  const failure = header['failure'];
  return {
    method: text(header['method']) ?? 'cloudpickle',
    sizeBytes: payloadBytes,
    wasRaised: header['wasRaised'] === true,
    ...optional('stringizedTraceback', text(header['stringizedTraceback'])),
    ...optional('exceptionTypeName', text(header['exceptionTypeName'])),
    ...optional('exceptionMessage', text(header['exceptionMessage'])),
    ...(typeof failure === 'object' && failure !== null
      ? { failure: parseFailure(failure as Record<string, unknown>) }
      : {}),
  };
}

function parseFailure(failure: Record<string, unknown>): { code: ErrorCode; message: string } {
  const code = text(failure['code']);
  return {
    code: code !== undefined && Object.hasOwn(errorCatalogue, code) ? (code as ErrorCode) : 'result_not_serializable',
    message: text(failure['message']) ?? 'The result of the function cannot be pickled.',
  };
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value.slice(0, maxTextChars) : undefined;
}

function optional<K extends string>(key: K, value: string | undefined): { [P in K]?: string } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]: string });
}
