import { LannerError, type Json } from '@lanner/protocol';
import { RetryCondition } from '@lanner/protocol/controller';

const longestMessage = 2048;
const mostAnnotations = 32;
const longestAnnotationKey = 64;
const largestAnnotationsBytes = 16_384;
const largestMetadataBytes = 16 * 1024 * 1024;
const largestSourceBytes = 16 * 1024 * 1024;

function refuse(message: string): never {
  throw new LannerError('invalid_argument', message);
}

/**
 * The free-form metadata of a revision: OpenAPI document, deploy message, annotations.
 * @throws `invalid_argument` when one of the official limits is passed.
 */
export function parseMetadata(sent: { [key: string]: Json } | undefined): { [key: string]: Json } | null {
  if (sent === undefined) return null;
  const message = sent['message'];
  if (typeof message === 'string' && message.length > longestMessage) {
    refuse(`The deploy message has ${message.length} characters; the limit is ${longestMessage}.`);
  }
  const annotations = sent['annotations'];
  if (annotations !== null && typeof annotations === 'object' && !Array.isArray(annotations)) {
    const keys = Object.keys(annotations);
    if (keys.length > mostAnnotations) refuse(`There are ${keys.length} annotations; the limit is ${mostAnnotations}.`);
    const tooLong = keys.find((key) => key.length > longestAnnotationKey);
    if (tooLong !== undefined) {
      refuse(
        `The annotation key ${JSON.stringify(tooLong.slice(0, 100))} is longer than ${longestAnnotationKey} characters.`,
      );
    }
    if (Buffer.byteLength(JSON.stringify(annotations)) > largestAnnotationsBytes) {
      refuse(`The annotations are larger than ${largestAnnotationsBytes} bytes as JSON.`);
    }
  }
  if (Buffer.byteLength(JSON.stringify(sent)) > largestMetadataBytes) {
    refuse(`The metadata of the app is larger than ${largestMetadataBytes} bytes as JSON.`);
  }
  return sent;
}

/** @throws `invalid_argument` when the text is beyond the limit. */
export function parseSourceCode(sent: string | undefined): string | null {
  if (sent === undefined) return null;
  if (Buffer.byteLength(sent) > largestSourceBytes)
    refuse(`The source code is larger than ${largestSourceBytes} bytes.`);
  return sent;
}

const retryConditionNames: Record<number, string> = {
  [RetryCondition.TIMEOUT]: 'timeout',
  [RetryCondition.CLIENT_ERROR]: 'client_error',
  [RetryCondition.SERVER_ERROR]: 'server_error',
  [RetryCondition.CONNECTION_ERROR]: 'connection_error',
};

/** @throws `invalid_argument` for an unknown condition number. */
export function parseSkipRetryConditions(sent: readonly number[]): string[] {
  return [...new Set(sent)].map(
    (condition) =>
      retryConditionNames[condition] ?? refuse(`The retry condition number ${condition} is unknown; known are 0 to 3.`),
  );
}

/**
 * Retry settings as JSON text, e.g. `{"server_error": {"retries": 3}}`; kept as text.
 * @throws `invalid_argument` when it is no such JSON.
 */
export function parseRetryConfig(sent: string | undefined): string | null {
  if (sent === undefined || sent === '') return null;
  const value = readJson(sent);
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    refuse('retry_config must be a JSON object such as {"server_error": {"retries": 3}}.');
  }
  for (const [condition, rule] of Object.entries(value)) {
    const retries = (rule as { retries?: unknown } | null)?.retries;
    if (typeof retries !== 'number' || !Number.isInteger(retries) || retries < 0) {
      refuse(`retry_config gives ${JSON.stringify(condition.slice(0, 60))} no whole number of retries of 0 or more.`);
    }
  }
  return sent;
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return refuse('retry_config is not valid JSON.');
  }
}
