import { buffer } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import type { Blobs } from '../../blobs/blobs.ts';
import type { OutputScope, RemovedFile } from '../../files/remove-outputs.ts';
import type { PayloadStore } from '../../queue/payload-store.ts';
import type { EndedRequest, RequestStore } from '../../queue/request-store.ts';

const largestSearchedBytes = 16 * 1024 ** 2;
const mostLinks = 1_000;
const deepest = 100;

/**
 * Erases what a caller's request was sent with, what came out, and the files that it made (rest-api 5.2; input files are kept). Files
 * go first: what a crash cuts off is done by asking again.
 *
 * @returns what became of the files; null: no request of this caller has ended under this id.
 */
export async function erasePayloads(
  deps: {
    requests: Pick<RequestStore, 'findEnded'>;
    payloads: Pick<PayloadStore, 'deletePayloads'>;
    blobs: Pick<Blobs, 'open'>;
    removeOutputs: (links: readonly string[], scope: OutputScope) => Promise<RemovedFile[]>;
  },
  accountId: string,
  requestId: string,
): Promise<RemovedFile[] | null> {
  const ended = await deps.requests.findEnded(requestId);
  if (ended === null || (ended.callerAccountId ?? ended.accountId) !== accountId) return null;
  const links = ended.payloads === 'deleted' ? [] : findLinks(await readJson(ended, deps.blobs));
  const removed =
    links.length === 0
      ? []
      : await deps.removeOutputs(links, {
          accountIds: [ended.accountId, accountId],
          madeFromMs: ended.submittedAtMs,
          madeToMs: ended.endedAtMs,
        });
  return (await deps.payloads.deletePayloads(accountId, requestId)) ? removed : null;
}

async function readJson({ body }: EndedRequest, blobs: Pick<Blobs, 'open'>): Promise<unknown> {
  if (body.sizeBytes > largestSearchedBytes) return null;
  const bytes = body.blob === null ? body.bytes : await buffer((await blobs.open(body.blob)) as Readable);
  try {
    return JSON.parse(Buffer.from(bytes ?? []).toString()) as unknown;
  } catch {
    return null;
  }
}

/** Every text in a JSON value that may be an address, once. */
export function findLinks(value: unknown): string[] {
  const found = new Set<string>();
  const look = (part: unknown, depth: number): void => {
    if (found.size >= mostLinks || depth > deepest) return;
    if (typeof part === 'string') {
      if (/^https?:\/\/\S{1,2000}$/.test(part)) found.add(part);
    } else if (typeof part === 'object' && part !== null) {
      for (const member of Object.values(part)) look(member, depth + 1);
    }
  };
  look(value, 0);
  return [...found];
}
