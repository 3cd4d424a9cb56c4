import { createHash } from 'node:crypto';
import { statfs } from 'node:fs/promises';
import { isLannerError, LannerError } from '@lanner/protocol';
import { diskFull, isDiskFull } from '../lib/disk-full.ts';

/** Bytes as they arrive, with what is known of them beforehand. */
export interface Incoming {
  bytes: AsyncIterable<Uint8Array>;
  /** As the sender announced it; null where it did not. */
  announcedBytes: number | null;
}

/** What was counted and hashed while bytes went by. */
export interface Intake {
  sizeBytes: number;
  /** Lower-case hex, once all went by. */
  sha256: string;
}

/**
 * Counts and hashes bytes on their way to `write`, one chunk at a time: a slow disk slows the sender down.
 *
 * @param limit.bytes most that may come.
 * @throws LannerError `payload_too_large`, before the first byte where the size was announced; `client_disconnected` when fewer
 * bytes came than announced; `storage_full`. `write` sees the failure too, so that nothing half stays.
 */
export async function takeIn(
  incoming: Incoming,
  limit: { bytes: number; what: string },
  write: (bytes: AsyncIterable<Uint8Array>) => Promise<void>,
): Promise<Intake> {
  const { announcedBytes } = incoming;
  if (announcedBytes !== null && announcedBytes > limit.bytes) throw tooLarge(limit);
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    for await (const piece of inPieces(incoming.bytes, (bytes) => {
      sizeBytes += bytes;
      if (sizeBytes > limit.bytes) throw tooLarge(limit);
    })) {
      hash.update(piece);
      yield piece;
    }
    if (announcedBytes !== null && sizeBytes !== announcedBytes) {
      throw new LannerError('client_disconnected', `${sizeBytes} of ${announcedBytes} bytes arrived.`);
    }
  };
  await storing(() => write(counted()));
  return { sizeBytes, sha256: hash.digest('hex') };
}

/** What arrives in small chunks is hashed and written in pieces of this size: each costs a turn of the thread pool. */
const pieceBytes = 256 * 1024;

async function* inPieces(
  chunks: AsyncIterable<Uint8Array>,
  onChunk: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let piece = Buffer.allocUnsafe(0);
  let filled = 0;
  for await (const chunk of chunks) {
    onChunk(chunk.length);
    if (filled === 0 && chunk.length >= pieceBytes) {
      yield chunk;
      continue;
    }
    // Copied: whoever makes the chunks may use their memory again.
    for (let at = 0; at < chunk.length;) {
      if (filled === 0) piece = Buffer.allocUnsafe(pieceBytes);
      const taken = Math.min(pieceBytes - filled, chunk.length - at);
      piece.set(chunk.subarray(at, at + taken), filled);
      filled += taken;
      at += taken;
      if (filled < pieceBytes) continue;
      yield piece;
      filled = 0;
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
}

/** Runs something that writes to disk; a full disk or quota becomes `storage_full`. */
export async function storing<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (isLannerError(error) || !isDiskFull(error)) throw error;
    throw diskFull(error);
  }
}

/** How much of a disk is left to the rest of the platform: the smaller of the two. */
export interface FreeSpaceRule {
  reservedBytes: number;
  /** Of the whole disk, 0 … 1. */
  reservedPart: number;
}

/** Free space is looked at again after so many bytes. */
const lookAgainBytes = 64 * 1024 ** 2;

/**
 * The same bytes, refused with `storage_full` as soon as they leave less free on disk than the rule says.
 * @param folder on the disk they go to.
 */
export function leavingFree(incoming: Incoming, folder: string, rule: FreeSpaceRule): Incoming {
  const look = async (comingBytes: number): Promise<void> => {
    const { bavail, blocks, bsize } = await statfs(folder);
    const reservedBytes = Math.min(rule.reservedBytes, blocks * bsize * rule.reservedPart);
    if (bavail * bsize - comingBytes < reservedBytes) throw diskFull();
  };
  const watched = async function* (): AsyncGenerator<Uint8Array> {
    await look(incoming.announcedBytes ?? 0);
    let sinceLookBytes = 0;
    for await (const chunk of incoming.bytes) {
      sinceLookBytes += chunk.length;
      if (sinceLookBytes > lookAgainBytes) {
        await look(0);
        sinceLookBytes = 0;
      }
      yield chunk;
    }
  };
  return { announcedBytes: incoming.announcedBytes, bytes: watched() };
}

function tooLarge({ bytes, what }: { bytes: number; what: string }): LannerError {
  return new LannerError('payload_too_large', `${what} may have ${bytes} bytes at most.`);
}
