import type { Readable } from 'node:stream';

/** A stored body as a whole. Its size is the caller's to check before. */
export async function readBytes(source: Uint8Array | Readable): Promise<Buffer> {
  if (source instanceof Uint8Array) return Buffer.from(source);
  const chunks: Buffer[] = [];
  for await (const chunk of source) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
