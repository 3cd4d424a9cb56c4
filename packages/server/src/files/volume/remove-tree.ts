import { codeOf, type Folder } from './folder.ts';

/** Folders in folders; deeper ones would need more open files than a process has. */
const deepest = 200;

/**
 * Deletes a name and everything below it, links as links.
 * @returns false when there was nothing.
 */
export async function removeTree(parent: Folder, name: Buffer, depth = 0): Promise<boolean> {
  const kind = await parent.kindOf(name);
  if (kind === null) return false;
  if (kind !== 'folder') {
    await ignoring(['ENOENT'], parent.unlink(name));
    return true;
  }
  if (depth > deepest) throw new RangeError('folders are nested too deeply to be deleted here');
  const folder = await ignoring(['ENOENT', 'ENOTDIR'], parent.enter(name));
  if (folder === null) return true;
  try {
    // Once more for what a runner adds meanwhile; it cannot keep us here for ever.
    for (let round = 0; round < 3; round += 1) {
      for (const entry of await folder.list()) await removeTree(folder, entry, depth + 1);
      if (
        (await ignoring(
          ['ENOTEMPTY', 'EEXIST'],
          parent.removeEmpty(name).then(() => true),
        )) === true
      )
        return true;
    }
    await parent.removeEmpty(name);
    return true;
  } finally {
    await folder.close();
  }
}

async function ignoring<T>(codes: readonly string[], operation: Promise<T>): Promise<T | null> {
  try {
    return await operation;
  } catch (error) {
    if (codes.includes(codeOf(error) ?? '')) return null;
    throw error;
  }
}
