import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { blobRelativePath, LannerError, type Callable, type StartRunnerRequest } from '@lanner/protocol';
import type { FrameHeader } from '../lib/frames.ts';
import type { StagedFile } from './stage-files.ts';

export interface StartFrameOptions {
  request: StartRunnerRequest;
  address: string;
  /** For the init of the zygote's sandbox. */
  addressProof: string | undefined;
  files: readonly StagedFile[];
  blobFolder: string;
  /** Path inside the zygote's root. */
  dataFolder: string;
  scratchFolder: string;
  caBundlePath: string | undefined;
  sandbox: 'namespaces' | 'process-group';
}

/** The `start` frame of the bridge and its payload. */
export interface StartFrame {
  header: FrameHeader;
  payloadBytes: number;
  parts: AsyncIterable<Buffer>;
}

const readChunkBytes = 1024 * 1024;

/**
 * Builds the frame that tells a forked child what to be. Definitions are streamed from the blob store.
 * @throws LannerError `not_found` when a definition is not in the blob store.
 */
export async function createStartFrame(options: StartFrameOptions): Promise<StartFrame> {
  const { request } = options;
  const blobs = await Promise.all(
    definitionBlobs(request.callable).map((hash) => openBlob(join(options.blobFolder, blobRelativePath(hash)))),
  );
  const sizes = blobs.map((blob) => blob.sizeBytes);
  const header: FrameHeader = {
    type: 'start',
    runnerId: request.runnerId,
    address: options.address,
    hostname: hostnameOf(request.runnerId),
    callable: describeCallable(request.callable, sizes),
    runOnMainThread: request.runOnMainThread,
    env: request.env,
    files: options.files.map((file) => ({ ...file })),
    dataDir: options.dataFolder,
    dataMounts: request.dataMounts,
    scratchDir: options.scratchFolder,
    limits: { ...request.limits },
    sandbox: options.sandbox,
  };
  if (options.addressProof !== undefined) header['addressProof'] = options.addressProof;
  if (request.exposedPort !== undefined) header['exposedPort'] = request.exposedPort;
  if (request.metricsPort !== undefined) header['metricsPort'] = request.metricsPort;
  if (options.caBundlePath !== undefined) header['caBundle'] = options.caBundlePath;
  return { header, payloadBytes: sizes.reduce((sum, size) => sum + size, 0), parts: readAll(blobs) };
}

/** Host names differ per runner: 63 characters of the id that a host name may hold. */
export function hostnameOf(runnerId: string): string {
  const label = runnerId.toLowerCase().replace(/[^a-z0-9-]+/g, '-');
  return label.slice(0, 63).replace(/^-+|-+$/g, '') || 'runner';
}

/** Setup first, as the bridge wants it. */
function definitionBlobs(callable: Callable): string[] {
  if (callable.kind === 'entrypoint') return [];
  return callable.setup === undefined ? [callable.blob] : [callable.setup.blob, callable.blob];
}

function describeCallable(
  callable: Callable,
  sizes: readonly number[],
): { [key: string]: string | number | { [key: string]: string | number } } {
  if (callable.kind === 'entrypoint') return { kind: 'entrypoint', entrypoint: callable.entrypoint };
  const own = { kind: 'serialized', method: callable.method, definitionBytes: sizes.at(-1)! };
  if (callable.setup === undefined) return own;
  return { ...own, setup: { method: callable.setup.method, definitionBytes: sizes[0]! } };
}

interface Blob {
  path: string;
  sizeBytes: number;
  /** Small ones are read at once. */
  bytes: Buffer | undefined;
}

async function openBlob(path: string): Promise<Blob> {
  try {
    const { size } = await stat(path);
    return { path, sizeBytes: size, bytes: size <= readChunkBytes ? await readFile(path) : undefined };
  } catch (error) {
    throw new LannerError('not_found', 'The definition of the function is not in the blob store. Deploy again.', {
      cause: error,
    });
  }
}

async function* readAll(blobs: readonly Blob[]): AsyncGenerator<Buffer> {
  for (const { path, bytes } of blobs) {
    if (bytes !== undefined) yield bytes;
    else yield* createReadStream(path, { highWaterMark: readChunkBytes }) as AsyncIterable<Buffer>;
  }
}
