import { pipeline } from 'node:stream/promises';
import { LannerError } from '@lanner/protocol';
import type { Blobs } from '../../blobs/blobs.ts';
import type { EndedRequest } from '../../queue/request-store.ts';
import { breakAnswer, type AnyResponse } from '../caller.ts';
import { writeHead } from '../answer.ts';

/**
 * Sends how a request ended: status, headers and body of the app's own answer, or the error that took its place.
 * @throws LannerError `result_deleted`.
 */
export async function sendStoredResult(response: AnyResponse, ended: EndedRequest, blobs: Blobs): Promise<void> {
  if (ended.payloads === 'deleted' && ended.body.sizeBytes > 0) {
    throw new LannerError('result_deleted', 'The result of this request was deleted, or its time is over.');
  }
  const isBodiless = ended.status === 204 || ended.status === 304;
  const headers = {
    ...ended.headers,
    ...(isBodiless ? {} : { 'content-length': ended.body.sizeBytes }),
    'x-fal-request-id': ended.requestId,
  };
  if (isBodiless || ended.body.blob === null) {
    writeHead(response, ended.status, headers);
    response.end(isBodiless || ended.body.bytes === null ? '' : ended.body.bytes);
    return;
  }
  const body = await blobs.open(ended.body.blob);
  writeHead(response, ended.status, headers);
  await pipeline(body, response as NodeJS.WritableStream).catch(() => breakAnswer(response));
}
