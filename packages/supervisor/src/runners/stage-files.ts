import { constants } from 'node:fs';
import { access, chmod, copyFile, link, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { blobRelativePath, LannerError, type AppFile } from '@lanner/protocol';

/** A file as the bridge's `start` names it: where its content is, and where it goes below /app. */
export interface StagedFile {
  source: string;
  relativePath: string;
  mode: number;
}

/**
 * Puts the content of an app's files into `folder`, which the runner's sandbox sees read-only, one file per hash. A hard
 * link where the account may read the blob as it is; else a copy. The sandbox copies once more, so nothing the app
 * does reaches the store.
 * @param folder made here; the caller removes it.
 * @throws LannerError `invalid_argument` for a path that leaves /app, `not_found` for a blob that is not there.
 */
export async function stageFiles(
  files: readonly AppFile[],
  blobFolder: string,
  folder: string,
  needsWorldRead: boolean,
): Promise<StagedFile[]> {
  if (files.length === 0) return [];
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const staged = new Set<string>();
  for (const { hash } of files) {
    if (staged.has(hash)) continue;
    staged.add(hash);
    await stage(join(blobFolder, blobRelativePath(hash)), join(folder, hash), needsWorldRead).catch(
      (error: unknown) => {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
        throw new LannerError(
          'not_found',
          `The content of an app file (${hash}) is not in the blob store. Deploy again.`,
        );
      },
    );
  }
  return files.map(({ hash, relativePath, mode }) => {
    assertInside(relativePath);
    return { source: join(folder, hash), relativePath, mode };
  });
}

async function stage(blob: string, target: string, needsWorldRead: boolean): Promise<void> {
  const { mode } = await stat(blob);
  if (!needsWorldRead || (mode & 0o004) !== 0) {
    const isLinked = await link(blob, target).then(
      () => true,
      () => false,
    );
    if (isLinked) return;
  }
  await access(blob, constants.R_OK);
  await copyFile(blob, target, constants.COPYFILE_FICLONE);
  await chmod(target, 0o444);
}

/** App files stay below /app, whatever a client sends. */
function assertInside(relativePath: string): void {
  const parts = relativePath.split('/');
  const isBad = parts.some((part) => part === '' || part === '.' || part === '..' || part.includes('\0'));
  if (isBad) {
    throw new LannerError(
      'invalid_argument',
      `App file path ${JSON.stringify(relativePath.slice(0, 200))} leaves the app folder.`,
    );
  }
}
