import { randomUUID } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { BodySource } from '../transport/http-transport.ts';

/** Read and sent at a time. */
const pieceBytes = 1024 * 1024;

/** Pairs of buffers that parts in flight read into: making new ones for every part would cost more than reading. */
export class PieceBuffers {
  readonly #free: [Buffer, Buffer][] = [];

  /** Two buffers that take turns; give them back when nothing reads them any more. */
  take(): [Buffer, Buffer] {
    return this.#free.pop() ?? [Buffer.allocUnsafeSlow(pieceBytes), Buffer.allocUnsafeSlow(pieceBytes)];
  }

  giveBack(pair: [Buffer, Buffer]): void {
    this.#free.push(pair);
  }
}

/** A part of a file. `onEnd` makes the error for a file that ends too early. */
export interface FilePart {
  handle: FileHandle;
  position: number;
  length: number;
  onEnd(atBytes: number): Error;
}

/** A part as the multipart form that the upload routes take, read while it is sent; may be sent again. */
export function partForm(part: FilePart, buffers: PieceBuffers): { contentType: string; body: BodySource } {
  const boundary = `lanner-${randomUUID()}`;
  const head = Buffer.from(
    `--${boundary}\r\ncontent-disposition: form-data; name="file_upload"; filename="chunk"\r\n` +
      `content-type: application/octet-stream\r\n\r\n`,
  );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    body: {
      sizeBytes: head.length + part.length + tail.length,
      async *pieces() {
        const pair = buffers.take();
        try {
          yield head;
          yield* readPieces(part, pair);
          yield tail;
        } finally {
          // Only here is the last piece of the file sent: whoever reads keeps one piece back.
          buffers.giveBack(pair);
        }
      },
    },
  };
}

/** The bytes of a part. A piece is overwritten when the next but one is asked for. */
async function* readPieces(
  { handle, position, length, onEnd }: FilePart,
  buffers: readonly [Buffer, Buffer],
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let done = 0, turn = 0; done < length; turn = 1 - turn) {
    const buffer = turn === 0 ? buffers[0] : buffers[1];
    const { bytesRead } = await handle.read(buffer, 0, Math.min(pieceBytes, length - done), position + done);
    if (bytesRead === 0) throw onEnd(position + done);
    done += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
