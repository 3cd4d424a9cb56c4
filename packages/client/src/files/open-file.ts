import { openAsBlob } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigurationError } from '../errors/client-error.ts';
import type { OpenFile } from './upload-source.ts';

/** A file as a Blob that is read when it is sent. Throws `invalid_argument` for what cannot be opened. */
export const openFile: OpenFile = async (path) => {
  const plain = path instanceof URL ? fileURLToPath(path) : path;
  try {
    return { blob: await openAsBlob(plain), name: basename(plain) };
  } catch (error) {
    throw new ConfigurationError('invalid_argument', `The file ${plain} cannot be read.`, {
      cause: error,
      advice: 'A text is taken for a path. Give bytes or a Blob for content you have at hand.',
    });
  }
};
