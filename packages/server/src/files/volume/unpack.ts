import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { LannerError } from '@lanner/protocol';
import { openPromise, type Entry, type ZipFile } from 'yauzl';
import { takeIn, type Incoming } from '../intake.ts';
import type { DataVolume } from './data-volume.ts';
import { parseVolumeText, type VolumePath } from './parse-volume-path.ts';

export interface UnpackLimits {
  /** Most bytes of an archive, and of everything in it. */
  archiveBytes: number;
  unpackedBytes: number;
  entries: number;
}

/**
 * Unpacks a ZIP archive into a folder of the volume, file by file (rest-api 2.5). The archive is kept beside it meanwhile,
 * because its list of contents is at its end. What was unpacked before something went wrong stays.
 *
 * @param folder for the archive, private to us.
 * @throws LannerError `invalid_argument` for what is no archive or holds names that lead outside, `payload_too_large`.
 */
export async function unpack(
  volume: DataVolume,
  accountId: string,
  path: VolumePath,
  incoming: Incoming,
  options: { folder: string; limits: UnpackLimits },
): Promise<void> {
  const { folder, limits } = options;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const archivePath = join(folder, `${randomBytes(16).toString('hex')}.zip`);
  try {
    await takeIn(incoming, { bytes: limits.archiveBytes, what: 'An archive' }, (bytes) =>
      pipeline(bytes, createWriteStream(archivePath, { mode: 0o600, flags: 'wx' })),
    );
    const archive = await openPromise(archivePath, { lazyEntries: true, autoClose: false }).catch((error: unknown) => {
      throw noArchive(error);
    });
    try {
      await unpackEntries(volume, accountId, path, archive, limits);
    } finally {
      archive.close();
    }
  } finally {
    await rm(archivePath, { force: true });
  }
}

async function unpackEntries(
  volume: DataVolume,
  accountId: string,
  path: VolumePath,
  archive: ZipFile,
  limits: UnpackLimits,
): Promise<void> {
  if (archive.entryCount > limits.entries) {
    throw new LannerError('payload_too_large', `An archive may hold ${limits.entries} files at most.`);
  }
  let leftBytes = limits.unpackedBytes;
  for await (const entry of entriesOf(archive)) {
    if (entry.fileName.endsWith('/')) continue;
    const segments = parseVolumeText(entry.fileName);
    const bytes = await archive.openReadStreamPromise(entry).catch((error: unknown) => {
      throw noArchive(error);
    });
    // What the archive says of its sizes is not believed.
    const counted = async function* (): AsyncGenerator<Uint8Array> {
      try {
        for await (const chunk of bytes as AsyncIterable<Uint8Array>) {
          leftBytes -= chunk.length;
          if (leftBytes < 0) {
            throw new LannerError('payload_too_large', `An archive may hold ${limits.unpackedBytes} bytes at most.`);
          }
          yield chunk;
        }
      } catch (error) {
        throw error instanceof LannerError ? error : noArchive(error);
      }
    };
    await volume.writeFile(accountId, [...path, ...segments], { bytes: counted(), announcedBytes: null });
  }
}

async function* entriesOf(archive: ZipFile): AsyncGenerator<Entry> {
  try {
    yield* archive.eachEntry();
  } catch (error) {
    throw noArchive(error);
  }
}

const noArchive = (cause: unknown): LannerError =>
  new LannerError('invalid_argument', 'This is no ZIP archive that can be unpacked.', { cause });
