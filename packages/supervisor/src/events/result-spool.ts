import { createWriteStream, type WriteStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LannerError, type Clock } from '@lanner/protocol';
import type { PayloadSink } from '../lib/frames.ts';

/** Where the bytes of finished callables wait until the server has stored them. Survives this process. */
export interface ResultSpool {
  /** Makes the folder and removes what is older than a week or was cut off by a crash. */
  start(): Promise<void>;
  /** A sink for the bytes of one result; `saved` resolves once they are durable, and rejects when they could not be kept. */
  receive(runnerId: string): { sink: ResultSink; saved: Promise<void> };
  /**
   * Path and size of a result.
   * @throws LannerError `not_found` when there is none (any more).
   */
  find(runnerId: string): Promise<{ path: string; sizeBytes: number }>;
  /** Idempotent. */
  forget(runnerId: string): Promise<void>;
}

export interface ResultSink extends PayloadSink {
  /** The rest will not come. Nothing happens when all of it is here. */
  abort(): void;
}

const keepMs = 7 * 24 * 3_600_000;
const partSuffix = '.part';

/** @param folder absolute path; file names in it are runner ids, which the API has checked to be plain words. */
export function createResultSpool(folder: string, clock: Clock): ResultSpool {
  const pathOf = (runnerId: string): string => join(folder, runnerId);
  return {
    async start() {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      for (const name of await readdir(folder)) {
        const path = join(folder, name);
        const entry = await stat(path).catch(() => undefined);
        if (entry === undefined) continue;
        if (name.endsWith(partSuffix) || clock.nowMs() - entry.mtimeMs > keepMs) await rm(path, { force: true });
      }
    },
    receive(runnerId) {
      const part = `${pathOf(runnerId)}${partSuffix}`;
      const stream = createWriteStream(part, { mode: 0o600, flush: true, highWaterMark: 1024 * 1024 });
      const saved = closed(stream).then(async () => {
        await rename(part, pathOf(runnerId));
        await syncFolder(folder);
      });
      saved.catch(() => rm(part, { force: true }));
      return { sink: toSink(stream), saved };
    },
    async find(runnerId) {
      const path = pathOf(runnerId);
      const entry = await stat(path).catch(() => undefined);
      if (entry === undefined || !entry.isFile()) {
        throw new LannerError('not_found', `Runner ${runnerId} has no stored result.`);
      }
      return { path, sizeBytes: entry.size };
    },
    forget: (runnerId) => rm(pathOf(runnerId), { force: true }),
  };
}

function closed(stream: WriteStream): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.once('error', reject);
    stream.once('close', () => {
      if (stream.errored === null && stream.writableFinished) resolve();
      else reject(stream.errored ?? new Error('The result was cut off.'));
    });
  });
}

function toSink(stream: WriteStream): ResultSink {
  return {
    // A stream that failed takes and forgets the rest: the connection has to go on to the frames behind it.
    write: (chunk) => stream.destroyed || stream.write(chunk),
    whenDrained: () =>
      new Promise((resolve) => {
        if (stream.destroyed || !stream.writableNeedDrain) return resolve();
        const finish = (): void => {
          stream.off('drain', finish);
          stream.off('close', finish);
          resolve();
        };
        stream.on('drain', finish);
        stream.on('close', finish);
      }),
    end: () => {
      stream.end();
    },
    abort: () => {
      if (!stream.writableEnded) stream.destroy();
    },
  };
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
