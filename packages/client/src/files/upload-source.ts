import { ConfigurationError } from '../errors/client-error.ts';
import type { BodySource } from '../transport/http-transport.ts';

/**
 * What can be uploaded. A text is the path of a file, and a `file:` URL too; both in Node and Bun only. A stream is read once,
 * with one part of it in memory.
 *
 * @example
 * ```ts
 * const content: UploadContent = new Blob(['hello'], { type: 'text/plain' });
 * ```
 */
export type UploadContent =
  | Blob
  | Uint8Array
  | ArrayBuffer
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>
  | string
  | URL;

/** Opens a file of this machine; not there in browsers. */
export type OpenFile = (path: string | URL) => Promise<{ blob: Blob; name: string }>;

/** What is to be sent: something with a size, of which any part can be read again, or bytes that come once. */
export type UploadSource =
  | { kind: 'blob'; blob: Blob; name: string | undefined; type: string | undefined }
  | { kind: 'stream'; bytes: AsyncIterable<Uint8Array> };

/** @throws ConfigurationError `invalid_argument` for what is none of these, `not_supported_here` for a path in a browser. */
export async function toUploadSource(content: UploadContent, openFile: OpenFile | undefined): Promise<UploadSource> {
  if (typeof content === 'string' || content instanceof URL) {
    if (openFile === undefined) {
      throw new ConfigurationError('not_supported_here', 'Paths can be uploaded in Node and Bun, not in a browser.', {
        advice: 'Give the File of an <input>, or a Blob.',
      });
    }
    const { blob, name } = await openFile(content);
    return { kind: 'blob', blob, name, type: undefined };
  }
  if (content instanceof Blob) {
    const { name } = content as { name?: unknown };
    return {
      kind: 'blob',
      blob: content,
      name: typeof name === 'string' && name !== '' ? name : undefined,
      type: content.type === '' ? undefined : content.type,
    };
  }
  if (content instanceof Uint8Array || content instanceof ArrayBuffer) {
    const blob = new Blob([content as Uint8Array<ArrayBuffer>]);
    return { kind: 'blob', blob, name: undefined, type: undefined };
  }
  const bytes = toIterable(content);
  if (bytes !== null) return { kind: 'stream', bytes };
  throw new ConfigurationError('invalid_argument', 'What is to be uploaded is no file, bytes or stream of bytes.', {
    advice: 'Give a Blob, a Uint8Array, a stream, or the path of a file.',
  });
}

function toIterable(content: unknown): AsyncIterable<Uint8Array> | null {
  if (typeof content !== 'object' || content === null) return null;
  if (Symbol.asyncIterator in content) return content as AsyncIterable<Uint8Array>;
  return content instanceof ReadableStream ? readStream(content as ReadableStream<Uint8Array>) : null;
}

/** Not every browser's streams can be looped over. */
export async function* readStream(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** Gathers what a stream gives into pieces of `partBytes`, the last one shorter; at least one, which may be empty. */
export async function* gatherParts(
  bytes: AsyncIterable<Uint8Array>,
  partBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let part = new Uint8Array(partBytes);
  let filled = 0;
  let count = 0;
  for await (const chunk of bytes) {
    for (let at = 0; at < chunk.length;) {
      const taken = Math.min(partBytes - filled, chunk.length - at);
      part.set(chunk.subarray(at, at + taken), filled);
      filled += taken;
      at += taken;
      if (filled < partBytes) continue;
      yield part;
      count += 1;
      part = new Uint8Array(partBytes);
      filled = 0;
    }
  }
  if (filled > 0 || count === 0) yield part.subarray(0, filled);
}

/** The body of a blob, told as it goes out. May be sent again: then it is counted anew. */
export function toBody(blob: Blob, onSent: (bytes: number) => void): BodySource {
  return {
    sizeBytes: blob.size,
    async *pieces() {
      let sentBytes = 0;
      onSent(0);
      for await (const piece of readStream(blob.stream() as ReadableStream<Uint8Array>)) {
        yield piece;
        sentBytes += piece.length;
        onSent(sentBytes);
      }
    },
  };
}
