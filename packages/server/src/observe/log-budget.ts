import { readdir, rm, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { listSegments } from './runner-log-files.ts';

/**
 * Deletes the segments that were written longest ago until everything below `root` (one folder per runner) fits into
 * `limitBytes`. Returns the bytes that are left. Folders without segments go, unless `isLive` says that more will come.
 */
export async function enforceLogBudget(
  root: string,
  limitBytes: number,
  isLive: (folder: string) => boolean,
): Promise<number> {
  const segments: { path: string; folder: string; bytes: number; writtenAtMs: number }[] = [];
  for (const folder of await readdir(root).catch(() => [])) {
    for (const name of await listSegments(join(root, folder))) {
      const path = join(root, folder, name);
      const info = await stat(path).catch(() => null);
      if (info !== null) segments.push({ path, folder, bytes: info.size, writtenAtMs: info.mtimeMs });
    }
  }
  let totalBytes = segments.reduce((sum, { bytes }) => sum + bytes, 0);
  segments.sort((a, b) => a.writtenAtMs - b.writtenAtMs);
  for (const { path, folder, bytes } of segments) {
    if (totalBytes <= limitBytes) break;
    await rm(path, { force: true });
    totalBytes -= bytes;
    if (isLive(folder) || (await listSegments(join(root, folder))).length > 0) continue;
    await rm(join(root, folder, 'owner.json'), { force: true });
    await rmdir(join(root, folder)).catch(() => {});
  }
  return totalBytes;
}
