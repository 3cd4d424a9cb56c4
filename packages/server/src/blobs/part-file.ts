import { createHash, type Hash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { callbackify } from 'node:util';

const readBytes = 1024 * 1024;
/** Read ahead of the disk for each part that arrives. */
const writeBytes = 1024 * 1024;

/**
 * Writes what arrives to a new file and hashes it on the way.
 * @param assertSize throws when the bytes so far are too many.
 */
export async function writePart(
  path: string,
  bytes: AsyncIterable<Uint8Array>,
  assertSize: (sizeBytes: number) => void,
): Promise<{ hash: Hash; sizeBytes: number }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const file = await open(path, 'wx', 0o600);
  const written = callbackify(async (chunks: Uint8Array[]): Promise<void> => {
    for (const chunk of chunks) {
      sizeBytes += chunk.length;
      hash.update(chunk);
    }
    assertSize(sizeBytes);
    await writeAll(file, chunks);
  });
  // A stream, not a loop: what arrives while a write is under way is written at once after it, uncopied.
  const sink = new Writable({
    highWaterMark: writeBytes,
    write: (chunk: Uint8Array, _encoding, done) => written([chunk], done),
    writev: (entries, done) =>
      written(
        entries.map(({ chunk }) => chunk as Uint8Array),
        done,
      ),
  });
  try {
    await pipeline(bytes, sink);
  } finally {
    await file.close();
  }
  return { hash, sizeBytes };
}

/** The bytes of a file. Two buffers take turns, since new ones for every chunk would cost more than reading: a chunk is overwritten when the next but one is asked for. */
export async function* readPart(path: string): AsyncGenerator<Uint8Array, void, undefined> {
  const file = await open(path, 'r');
  try {
    const buffers = [Buffer.allocUnsafeSlow(readBytes), Buffer.allocUnsafeSlow(readBytes)] as const;
    for (let turn: 0 | 1 = 0; ; turn = turn === 0 ? 1 : 0) {
      const buffer = buffers[turn];
      const { bytesRead } = await file.read(buffer, 0, buffer.length);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

async function writeAll(file: FileHandle, chunks: Uint8Array[]): Promise<void> {
  const wantedBytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const { bytesWritten } = await file.writev(chunks);
  if (bytesWritten === wantedBytes) return;
  // The disk took less than all: the rest, piece by piece.
  const rest = Buffer.concat(chunks).subarray(bytesWritten);
  for (let written = 0; written < rest.length;) {
    written += (await file.write(rest, written)).bytesWritten;
  }
}
