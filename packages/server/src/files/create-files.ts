import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LannerError, type Clock } from '@lanner/protocol';
import type { KeyStore } from '../auth/key-store.ts';
import type { Authenticator } from '../auth/principal.ts';
import { openDiskBlobs } from '../blobs/disk-blobs.ts';
import { createUploadSessions } from '../blobs/upload-sessions.ts';
import type { AnyResponse } from '../gateway/caller.ts';
import type { Logger } from '../observe/logger.ts';
import type { AnyRequest, Route } from '../ports/route.ts';
import { createCdnHandler } from './cdn-handler.ts';
import { defaultFileLimits, type FileLimits } from './file-limits.ts';
import { createFileStorage, type FileStorage } from './file-storage.ts';
import type { FileHostConfig } from '../config/own-file-urls.ts';
import type { Incoming } from './intake.ts';
import { createKeyValueHandler } from './key-value-handler.ts';
import type { KeyValueStore } from './key-value-store.ts';
import type { ObjectStore } from './object-store.ts';
import { createObjects } from './objects.ts';
import { removeOutputs, type OutputScope, type RemovedFile } from './remove-outputs.ts';
import { createSigner } from './signatures.ts';
import { createSweep } from './sweep.ts';
import { createFileCallers } from './uploader.ts';
import { createDataVolume, type DataVolume } from './volume/data-volume.ts';
import { createUrlFetcher } from './volume/fetch-url.ts';
import type { Owner } from './volume/folder.ts';
import type { VolumePath } from './volume/parse-volume-path.ts';
import { unpack } from './volume/unpack.ts';

/** The official client sends parts of 10 MiB. */
const dataPartBytes = 64 * 1024 ** 2;
const mostArchiveEntries = 100_000;
const dataUploadLifetimeMs = 24 * 60 * 60 * 1000;

type Handler = (request: AnyRequest, response: AnyResponse, route: Route) => void;

/** Files and key values of one server. */
export interface Files {
  handleCdn: Handler;
  handleKeyValues: Handler;
  storage: FileStorage;
  /** The `/data` of accounts. */
  volume: DataVolume;
  /** Unpacks a ZIP archive into a folder of the volume. */
  unpack(accountId: string, path: VolumePath, incoming: Incoming): Promise<void>;
  /** Fetches a URL, for at most `timeoutMs`. Throws `invalid_argument`. */
  fetchUrl<Result>(url: string, timeoutMs: number, use: (incoming: Incoming) => Promise<Result>): Promise<Result>;
  /** Removes files that a request made, among those its result names. */
  removeOutputs(links: readonly string[], scope: OutputScope): Promise<RemovedFile[]>;
  /** Removes what has expired, now. */
  sweep(): Promise<void>;
  /** Idempotent. */
  stop(): Promise<void>;
}

export interface FilesOptions {
  objects: ObjectStore;
  keyValues: KeyValueStore;
  authenticator: Pick<Authenticator, 'authenticate'>;
  keyStore: Pick<KeyStore, 'findWithOwner'>;
  /** Folder of the bytes; made when missing. One process per folder. */
  folder: string;
  /** Signs tokens and upload URLs; 32 bytes or more. */
  secret: Uint8Array;
  urls: FileHostConfig;
  /** `<this>/<account>` is the account's `/data`. */
  dataFolder: string;
  /** Whom the account's runners run as; null: as we do. */
  ownerOf: (accountId: string) => Promise<Owner | null>;
  fetching: Omit<Parameters<typeof createUrlFetcher>[0], 'resolveHost'>;
  /** Asked when a URL is written. */
  tlsPort: () => number;
  clock: Clock;
  log: Logger;
  /** What is left out has its default. */
  limits?: Partial<FileLimits>;
}

export async function createFiles(options: FilesOptions): Promise<Files> {
  const { objects: store, keyValues, clock, log, urls, tlsPort, folder } = options;
  const limits = { ...defaultFileLimits, ...options.limits };
  const blobs = await openDiskBlobs(folder);
  const writing = new Set<string>();
  const signer = createSigner(options.secret);
  const callers = createFileCallers({
    authenticator: options.authenticator,
    keys: options.keyStore,
    signer,
    clock,
  });
  const objects = createObjects({ store, blobs, folder, clock, limits, writing });
  const sweep = createSweep({ store, keyValues, blobs, writing, clock, log: log.child({ component: 'files' }) });
  sweep.start();
  const sessions = createUploadSessions({
    folder: join(folder, 'data-uploads'),
    clock,
    limits: {
      partSizeBytes: dataPartBytes,
      totalSizeBytes: limits.objectBytes,
      openPerOwner: 1_000,
      lifetimeMs: dataUploadLifetimeMs,
    },
  });
  await sessions.sweep();
  const volume = createDataVolume({
    folder: options.dataFolder,
    sessions,
    ownerOf: options.ownerOf,
    fileBytes: limits.objectBytes,
    freeSpace: limits,
    clock,
  });
  // What a crash left of unpacking.
  await rm(join(folder, 'archives'), { recursive: true, force: true });
  const fetcher = createUrlFetcher(options.fetching);
  const ending = new AbortController();
  return {
    handleCdn: createCdnHandler({ objects, callers, signer, urls, tlsPort, clock, log }),
    handleKeyValues: createKeyValueHandler({ store: keyValues, callers, clock, log }),
    storage: createFileStorage({ store, objects, signer, urls, tlsPort, clock }),
    volume,
    unpack: (accountId, path, incoming) =>
      unpack(volume, accountId, path, incoming, {
        folder: join(folder, 'archives'),
        limits: { archiveBytes: limits.requestBytes, unpackedBytes: limits.objectBytes, entries: mostArchiveEntries },
      }),
    async fetchUrl(url, timeoutMs, use) {
      const late = new AbortController();
      const timer = clock.setTimer(timeoutMs, () => late.abort());
      try {
        return await fetcher.fetch(url, AbortSignal.any([ending.signal, late.signal]), use);
      } catch (error) {
        if (ending.signal.aborted)
          throw new LannerError('shutting_down', 'The server is stopping. Fetch it again later.');
        if (!late.signal.aborted) throw error;
        throw new LannerError('invalid_argument', `The URL did not give its file within ${timeoutMs / 1000} s.`);
      } finally {
        timer.cancel();
      }
    },
    removeOutputs: (links, scope) => removeOutputs(objects, links, scope),
    sweep: () => sweep.run(),
    async stop() {
      ending.abort();
      await sweep.stop();
      await fetcher.close();
    },
  };
}
