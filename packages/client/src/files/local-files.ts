import { createHash } from 'node:crypto';
import { readdir, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigurationError } from '../errors/client-error.ts';
import { below } from './remote-path.ts';

const readBytes = 1024 * 1024;

/** A file of this machine, and where it goes. */
export interface LocalFile {
  localPath: string;
  path: string;
  sizeBytes: number;
}

/** Every file at or below a local path, with the place it goes to. Throws `invalid_argument`. */
export async function findLocalFiles(localPath: string, path: string): Promise<LocalFile[]> {
  const information = await stat(localPath).catch((error: unknown) => {
    throw new ConfigurationError('invalid_argument', `The file ${localPath} cannot be read.`, { cause: error });
  });
  if (!information.isDirectory()) return [{ localPath, path, sizeBytes: information.size }];
  const names = (await readdir(localPath)).toSorted();
  const inner = await Promise.all(names.map((name) => findLocalFiles(join(localPath, name), below(path, name))));
  return inner.flat();
}

/** The MD5 of a file, as the server tells it of what arrived. */
export async function md5Of(handle: FileHandle): Promise<string> {
  const hash = createHash('md5');
  const buffer = Buffer.allocUnsafe(readBytes);
  for (let position = 0; ;) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) return hash.digest('hex');
    hash.update(buffer.subarray(0, bytesRead));
    position += bytesRead;
  }
}

export const changedFile = (localPath: string, how: string): ConfigurationError =>
  new ConfigurationError('invalid_argument', `The file ${localPath} changed during the upload: ${how}.`, {
    advice: 'Upload it again when nothing writes to it.',
  });
