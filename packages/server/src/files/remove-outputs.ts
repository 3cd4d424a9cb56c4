import type { Objects } from './objects.ts';
import { parseFileUrl } from './file-urls.ts';

/** What became of a file that a result named. */
export interface RemovedFile {
  link: string;
  /** Why it is still there; null: it is gone. */
  exception: string | null;
}

/** Whose files count as the output of a request, and when they were made. */
export interface OutputScope {
  accountIds: readonly string[];
  madeFromMs: number;
  madeToMs: number;
}

/**
 * Removes the files of ours among these links that are the output of a request: made while it ran, by the app's account or the
 * caller's. A result may name others, which are not its caller's to delete: an input, a file the app shows to everybody.
 */
export async function removeOutputs(
  objects: Pick<Objects, 'find' | 'remove'>,
  links: readonly string[],
  scope: OutputScope,
): Promise<RemovedFile[]> {
  const removed: RemovedFile[] = [];
  for (const link of links) {
    const objectId = parseFileUrl(link);
    const object = objectId === null ? null : await objects.find(objectId);
    if (object === null || !isOutput(object, scope)) continue;
    try {
      await objects.remove(object);
      removed.push({ link, exception: null });
    } catch {
      removed.push({ link, exception: 'The file could not be deleted. Try again.' });
    }
  }
  return removed;
}

function isOutput(object: { accountId: string; createdAtMs: number }, scope: OutputScope): boolean {
  const { accountIds, madeFromMs, madeToMs } = scope;
  return accountIds.includes(object.accountId) && object.createdAtMs >= madeFromMs && object.createdAtMs <= madeToMs;
}
