import { randomBytes, randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { createAuthenticator } from '../../auth/create-authenticator.ts';
import { createKeys } from '../../auth/create-keys.ts';
import type { KeyGrant } from '../../auth/keys.ts';
import { createSqliteAccountStore } from '../../auth/sqlite-account-store.ts';
import { createSqliteKeyStore } from '../../auth/sqlite-key-store.ts';
import { openTemporaryDatabase } from '../../db/temporary-database.ts';
import { createChangeFeed } from '../../lib/change-feed.ts';
import { createVirtualClock, type VirtualClock } from '../../lib/virtual-clock.ts';
import { routeRequest } from '../../ports/route-request.ts';
import type { Origin } from '../../ports/route.ts';
import { createFiles, type Files } from '../create-files.ts';
import type { FileLimits } from '../file-limits.ts';
import type { ObjectStore } from '../object-store.ts';
import { createSqliteKeyValueStore } from '../sqlite-key-value-store.ts';
import { createSqliteObjectStore } from '../sqlite-object-store.ts';

/** The hosts of files and key values on a real HTTP port, over a real store; time is the test's. */
export interface FileServer {
  files: Files;
  store: ObjectStore;
  clock: VirtualClock;
  /** `http://127.0.0.1:port/cdn`. */
  cdn: string;
  /** `http://127.0.0.1:port/kv`. */
  kv: string;
  /** As a caller who came by path mode. */
  origin: Origin;
  folder: string;
  alice: FileCaller;
  bob: FileCaller;
  fetch(url: string, init?: RequestInit): Promise<Response>;
  addKey(caller: FileCaller, grant: KeyGrant): Promise<string>;
  revokeKey(caller: FileCaller): Promise<void>;
  /** Another server on the same database and folder. */
  restart(): Promise<void>;
  /** Removes everything whose time is over, moving the clock as far as that takes. */
  sweep(): Promise<void>;
  stop(): Promise<void>;
}

export interface FileCaller {
  accountId: string;
  nickname: string;
  keyId: string;
  /** `Key id:secret`. */
  key: string;
}

export async function startFileServer(limits: Partial<FileLimits> = {}): Promise<FileServer> {
  const folder = await mkdtemp(join(tmpdir(), 'lanner-files-'));
  const database = await openTemporaryDatabase();
  const clock = createVirtualClock();
  const changeFeed = createChangeFeed(() => undefined);
  const accounts = createSqliteAccountStore(database);
  const keyStore = createSqliteKeyStore(database);
  const keys = createKeys({ store: keyStore, clock, changeFeed });
  const store = createSqliteObjectStore(database);
  const authenticator = createAuthenticator({ store: keyStore, changeFeed });
  const addCaller = async (nickname: string): Promise<FileCaller> => {
    const accountId = randomUUID();
    await accounts.insert({ accountId, nickname, fullName: nickname, isPersonal: true, createdAtMs: 1 });
    const { keyId, keySecret } = await keys.create(accountId, { preset: 'FULL' }, 'test');
    return { accountId, nickname, keyId, key: `Key ${keyId}:${keySecret}` };
  };
  const [alice, bob] = [await addCaller('alice'), await addCaller('bob')];
  let port = 0;
  const secret = randomBytes(32);
  const start = (): Promise<Files> =>
    createFiles({
      objects: store,
      keyValues: createSqliteKeyValueStore(database),
      authenticator,
      keyStore,
      folder: join(folder, 'objects'),
      dataFolder: join(folder, 'data'),
      ownerOf: async () => null,
      fetching: { allowPrivate: true, upstreamProxy: null, ownUrls: () => [], certificates: () => [] },
      secret,
      urls: { host: '127.0.0.1', domain: null, publicUrl: null },
      tlsPort: () => port,
      clock,
      log: pino({ level: 'silent' }),
      limits: { reservedBytes: 0, ...limits },
    });
  let files = await start();
  const addresses = { domain: null, publicUrl: null };
  const route = (authority: string | undefined, target: string): ReturnType<typeof routeRequest> =>
    routeRequest({ authority, target, contentType: undefined, scheme: 'http', localPort: port }, addresses);
  const server: Server = createServer((request, response) => {
    const routing = route(request.headers.host, request.url ?? '/');
    if ('refused' in routing) return void response.writeHead(404).end();
    if (routing.role === 'kv') files.handleKeyValues(request, response, routing);
    else files.handleCdn(request, response, routing);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
  const authority = `127.0.0.1:${port}`;
  const known = route(authority, '/cdn/files');
  if ('refused' in known) throw new Error(known.message);

  return {
    get files() {
      return files;
    },
    store,
    clock,
    cdn: `http://${authority}/cdn`,
    kv: `http://${authority}/kv`,
    origin: known.origin,
    folder,
    alice,
    bob,
    fetch: (url, init) => fetch(url, init),
    async addKey(caller, grant) {
      const { keyId, keySecret } = await keys.create(caller.accountId, grant, 'another');
      return `Key ${keyId}:${keySecret}`;
    },
    revokeKey: (caller) => keys.revoke(caller.accountId, caller.keyId),
    async restart() {
      await files.stop();
      files = await start();
    },
    async sweep() {
      let isOver = false;
      const swept = files.sweep().finally(() => (isOver = true));
      while (!isOver) await clock.advance(20);
      await swept;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await files.stop();
      authenticator.close();
      await database.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
