import { LannerError, type Clock } from '@lanner/protocol';
import type { Principal } from '../auth/principal.ts';
import type { FileHostConfig } from '../config/own-file-urls.ts';
import type { Origin } from '../ports/route.ts';
import type { Acl } from './acl.ts';
import { createFileToken, createReadSignature, createUploadTicket } from './file-tokens.ts';
import { fileBaseUrl, parseFileUrl, toFileUrl } from './file-urls.ts';
import type { ObjectStore, StorageSettings, StoredObject } from './object-store.ts';
import type { Objects, UploadFacts } from './objects.ts';
import type { Signer } from './signatures.ts';

/** What the REST API knows of uploaded files. URLs are written for the origin the caller came by. */
export interface FileStorage {
  /** @param lifetimeSeconds default a day. */
  createToken(
    origin: Origin,
    principal: Pick<Principal, 'keyId'>,
    lifetimeSeconds?: number,
  ): { token: string; baseUrl: string; expiresAtMs: number };
  /** Where to put the bytes, and where they will be found: final from now on. Throws `too_many_requests`. */
  open(origin: Origin, facts: UploadFacts): Promise<{ fileUrl: string; uploadUrl: string }>;
  /** Throws `not_found` for what is no file of this account. */
  readAcl(accountId: string, fileUrl: string): Promise<Acl>;
  writeAcl(accountId: string, fileUrl: string, acl: Acl): Promise<void>;
  /** A link that everybody can read until it ends. */
  signUrl(accountId: string, fileUrl: string, lifetimeSeconds: number): Promise<string>;
  settings(accountId: string): Promise<StorageSettings>;
  setSettings(accountId: string, settings: StorageSettings): Promise<void>;
}

const openToAll: Acl = { default: 'allow', rules: [] };

export function createFileStorage(options: {
  store: ObjectStore;
  objects: Objects;
  signer: Signer;
  urls: FileHostConfig;
  tlsPort: () => number;
  clock: Pick<Clock, 'nowMs'>;
}): FileStorage {
  const { store, objects, signer, clock } = options;
  const baseUrlOf = (origin: Origin): string => fileBaseUrl(origin, options.urls, options.tlsPort());

  const findOwn = async (accountId: string, fileUrl: string): Promise<StoredObject> => {
    const objectId = parseFileUrl(fileUrl);
    const object = objectId === null ? null : await objects.find(objectId);
    if (object?.accountId !== accountId) throw new LannerError('not_found', 'This account has no file with this URL.');
    return object;
  };

  return {
    createToken(origin, { keyId }, lifetimeSeconds) {
      const { token, expiresAtMs } = createFileToken(signer, clock, keyId, lifetimeSeconds);
      // A caller who came by the hosted platform's names goes on with them: they lead here as well.
      return { token, expiresAtMs, baseUrl: `${origin.scheme}://${origin.hosts.cdnHost}` };
    },
    async open(origin, facts) {
      const object = await objects.open(facts);
      const baseUrl = baseUrlOf(origin);
      return {
        fileUrl: toFileUrl(baseUrl, object),
        uploadUrl: `${baseUrl}/uploads/${createUploadTicket(signer, object.objectId)}`,
      };
    },
    readAcl: async (accountId, fileUrl) => (await findOwn(accountId, fileUrl)).acl ?? openToAll,
    async writeAcl(accountId, fileUrl, acl) {
      await store.setAcl((await findOwn(accountId, fileUrl)).number, acl);
    },
    async signUrl(accountId, fileUrl, lifetimeSeconds) {
      const { objectId } = await findOwn(accountId, fileUrl);
      const url = new URL(fileUrl);
      url.search = new URLSearchParams({
        identity: createReadSignature(signer, objectId, clock.nowMs() + lifetimeSeconds * 1000),
      }).toString();
      return url.href;
    },
    settings: async (accountId) => (await store.settings(accountId)) ?? { lifetimeMs: null, acl: null },
    setSettings: (accountId, settings) => store.setSettings(accountId, settings),
  };
}
