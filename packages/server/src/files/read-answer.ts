import type { OutgoingHttpHeaders } from 'node:http';
import type { Clock } from '@lanner/protocol';
import type { ByteRange } from './byte-range.ts';
import { parseByteRange } from './byte-range.ts';
import { isActiveContent } from './content-type.ts';
import { toContentDisposition } from './file-name.ts';
import type { ObjectContent, StoredObject } from './object-store.ts';
import { decideCondition, isRangeWanted, type ConditionHeaders } from './preconditions.ts';

/** How a read is answered. */
export interface ReadAnswer {
  status: 200 | 206 | 304 | 412 | 416;
  headers: OutgoingHttpHeaders;
  /** Which bytes to send; null: none. */
  range: ByteRange | null;
}

const forever = 365 * 86_400;

/**
 * Uploaded files are strangers' bytes under our name: nothing in them may run. A browser takes the type as it is said, runs no
 * script, sends no form, reaches no other host, and saves what could be a program.
 */
const harmless = {
  'x-content-type-options': 'nosniff',
  'content-security-policy':
    "default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'unsafe-inline'; sandbox",
  'cross-origin-resource-policy': 'cross-origin',
  'referrer-policy': 'no-referrer',
} as const;

/**
 * Headers and bytes for the read of a stored object. Pure.
 * @param isPublic everybody gets the same answer, so caches may keep it.
 */
export function toReadAnswer(
  object: StoredObject & { content: ObjectContent },
  asked: ConditionHeaders & { range?: string | undefined },
  isPublic: boolean,
  clock: Pick<Clock, 'nowMs'>,
): ReadAnswer {
  const { sizeBytes, storedAtMs } = object.content;
  const etag = `"${object.content.etag}"`;
  const leftSeconds =
    object.expiresAtMs === null ? forever : Math.max(0, Math.floor((object.expiresAtMs - clock.nowMs()) / 1000));
  const headers: OutgoingHttpHeaders = {
    ...harmless,
    etag,
    'last-modified': new Date(storedAtMs).toUTCString(),
    'accept-ranges': 'bytes',
    'cache-control': isPublic ? `public, max-age=${Math.min(leftSeconds, forever)}, immutable` : 'private, no-cache',
    'access-control-expose-headers': 'accept-ranges, content-disposition, content-length, content-range',
    ...(isPublic ? {} : { vary: 'authorization' }),
  };
  const condition = decideCondition(asked, etag, storedAtMs);
  if (condition === 'not_modified') return { status: 304, headers, range: null };
  if (condition === 'failed') return { status: 412, headers, range: null };
  headers['content-type'] = object.contentType;
  headers['content-disposition'] = toContentDisposition(
    isActiveContent(object.contentType) ? 'attachment' : 'inline',
    object.fileName,
  );
  const range = isRangeWanted(asked['if-range'], etag, storedAtMs) ? parseByteRange(asked.range, sizeBytes) : null;
  if (range === 'unsatisfiable') {
    return { status: 416, headers: { ...headers, 'content-range': `bytes */${sizeBytes}` }, range: null };
  }
  if (range === null) {
    headers['content-length'] = sizeBytes;
    return { status: 200, headers, range: sizeBytes === 0 ? null : { first: 0, last: sizeBytes - 1 } };
  }
  headers['content-length'] = range.last - range.first + 1;
  headers['content-range'] = `bytes ${range.first}-${range.last}/${sizeBytes}`;
  return { status: 206, headers, range };
}
