import { randomUUID } from 'node:crypto';

/**
 * An id for a request, which may be queued: a UUID of version 7, which begins with its time. Ids that were given in a row are neighbours in the
 * index of the store, so that a commit writes fewer pages; 74 random bits keep them from being guessed.
 */
export function newRequestId(nowMs: number): string {
  const time = Math.max(0, nowMs).toString(16).padStart(12, '0').slice(-12);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}
