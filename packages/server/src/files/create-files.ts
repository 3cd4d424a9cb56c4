import type { Clock } from '@lanner/protocol';
import type { KeyStore } from '../auth/key-store.ts';
import type { Authenticator } from '../auth/principal.ts';
import { openDiskBlobs } from '../blobs/disk-blobs.ts';
import type { AnyResponse } from '../gateway/caller.ts';
import type { Logger } from '../observe/logger.ts';
import type { AnyRequest, Route } from '../ports/route.ts';
import { createCdnHandler } from './cdn-handler.ts';
import { defaultFileLimits, type FileLimits } from './file-limits.ts';
import { createFileStorage, type FileStorage } from './file-storage.ts';
import type { FileHostConfig } from '../config/own-file-urls.ts';
import { createKeyValueHandler } from './key-value-handler.ts';
import type { KeyValueStore } from './key-value-store.ts';
import type { ObjectStore } from './object-store.ts';
import { createObjects } from './objects.ts';
import { createSigner } from './signatures.ts';
import { createSweep } from './sweep.ts';
import { createFileCallers } from './uploader.ts';

type Handler = (request: AnyRequest, response: AnyResponse, route: Route) => void;

/** Files and key values of one server. */
export interface Files {
  handleCdn: Handler;
  handleKeyValues: Handler;
  storage: FileStorage;
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
  return {
    handleCdn: createCdnHandler({ objects, callers, signer, urls, tlsPort, clock, log }),
    handleKeyValues: createKeyValueHandler({ store: keyValues, callers, clock, log }),
    storage: createFileStorage({ store, objects, signer, urls, tlsPort, clock }),
    sweep: () => sweep.run(),
    stop: () => sweep.stop(),
  };
}
