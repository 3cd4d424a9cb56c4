import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { LannerError, type AttemptOrder } from '@lanner/protocol';
import { attemptOrderSchema } from '../api/schemas.ts';
import type { AttemptBody } from './send-attempt.ts';

const maxOrderBytes = 256 * 1024;
/** Larger bodies wait on disk, so that the attempt needs the server no more once it has begun. */
const memoryBytes = 1024 * 1024;

/**
 * Reads an order and the whole body behind it.
 * @throws LannerError `bad_request` when either is broken or incomplete.
 */
export async function readOrder(
  request: IncomingMessage,
  folder: string,
): Promise<{ order: AttemptOrder; body: AttemptBody; discard: () => void }> {
  let order: AttemptOrder | undefined;
  let head: Buffer[] = [];
  let headBytes = 0;
  const chunks: Buffer[] = [];
  let bodyBytes = 0;
  let file: { path: string; stream: ReturnType<typeof createWriteStream> } | undefined;
  const take = async (chunk: Buffer): Promise<void> => {
    if (chunk.length === 0) return;
    bodyBytes += chunk.length;
    if (bodyBytes > order!.bodyBytes) throw incomplete();
    if (file === undefined) {
      chunks.push(chunk);
      return;
    }
    if (!file.stream.write(chunk)) await new Promise((resolve) => file!.stream.once('drain', () => resolve(undefined)));
  };
  const discard = (): void => {
    if (file === undefined) return;
    file.stream.destroy();
    void rm(file.path, { force: true });
  };
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      if (order !== undefined) {
        await take(chunk);
        continue;
      }
      const newlineAt = chunk.indexOf(10);
      headBytes += newlineAt === -1 ? chunk.length : newlineAt;
      if (headBytes > maxOrderBytes) throw incomplete();
      head.push(newlineAt === -1 ? chunk : chunk.subarray(0, newlineAt));
      if (newlineAt === -1) continue;
      const parsed = attemptOrderSchema.safeParse(toJson(Buffer.concat(head).toString()));
      if (!parsed.success) throw new LannerError('bad_request', 'The order of an attempt is not in its form.');
      order = parsed.data;
      head = [];
      if (order.bodyBytes > memoryBytes) {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        const path = join(folder, order.attemptId);
        file = { path, stream: createWriteStream(path, { mode: 0o600 }) };
        file.stream.on('error', () => {});
      }
      await take(chunk.subarray(newlineAt + 1));
    }
    if (order === undefined || bodyBytes !== order.bodyBytes) throw incomplete();
    if (file === undefined) return { order, body: Buffer.concat(chunks), discard };
    const { path, stream } = file;
    await new Promise<void>((resolve, reject) => {
      stream.on('error', reject);
      stream.end(() => resolve());
    });
    const body = (): ReturnType<typeof createReadStream> =>
      createReadStream(path).on('close', () => void rm(path, { force: true }));
    return { order, body, discard };
  } catch (error) {
    discard();
    throw error instanceof LannerError ? error : incomplete();
  }
}

function toJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function incomplete(): LannerError {
  return new LannerError('bad_request', 'The order of an attempt or its body is incomplete or too long.');
}
