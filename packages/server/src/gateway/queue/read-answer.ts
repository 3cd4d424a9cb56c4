import type { AttemptOutcome, Clock } from '@lanner/protocol';
import type { Blobs } from '../../blobs/blobs.ts';
import type { LiveRequest } from '../../queue/live-request.ts';
import type { RequestResult } from '../../queue/request-store.ts';
import type { RunnerDriver } from '../../runners/runner-driver.ts';
import { toCallerHeaders } from '../caller-response-headers.ts';
import { storeBody } from './bodies.ts';
import { toAnswerResult } from './to-result.ts';

/** An answer of the app as the end of a request; fetches a body that did not come with the event. */
export async function readAnswer(
  deps: { driver: RunnerDriver; blobs: Blobs; clock: Clock },
  request: LiveRequest,
  lease: string,
  answer: Extract<AttemptOutcome, { kind: 'answered' }>,
): Promise<RequestResult> {
  const { driver, blobs, clock } = deps;
  const { status, sizeBytes } = answer;
  const source = answer.body === undefined ? await driver.readAttempt(lease) : Buffer.from(answer.body, 'base64');
  const body = await storeBody(blobs, source, sizeBytes, `${lease}/result`);
  const headers = toCallerHeaders(answer.headers, {
    status,
    requestId: request.requestId,
    runnerId: request.runnerId ?? '',
    isCrossOrigin: false,
  }) as Record<string, string | string[]>;
  return toAnswerResult(answer, headers, body, clock.nowMs());
}
