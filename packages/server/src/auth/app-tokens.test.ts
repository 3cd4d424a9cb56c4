import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { isLannerError, type ErrorCode } from '@lanner/protocol';
import type { Database } from '../db/database.ts';
import { openTemporaryDatabase } from '../db/temporary-database.ts';
import { createChangeFeed } from '../lib/change-feed.ts';
import { createVirtualClock } from '../lib/virtual-clock.ts';
import type { AppTokens } from './app-tokens.ts';
import { createCallAuthenticator } from './call-authenticator.ts';
import { createAccounts } from './create-accounts.ts';
import { createAppTokens } from './create-app-tokens.ts';
import { createAuthenticator } from './create-authenticator.ts';
import { createKeys } from './create-keys.ts';
import type { KeyGrant } from './keys.ts';
import { hasPermission } from './permissions.ts';
import type { Principal } from './principal.ts';
import { createSqliteAccountStore } from './sqlite-account-store.ts';
import { createSqliteKeyStore } from './sqlite-key-store.ts';

const hasCode =
  (code: ErrorCode, text = /./) =>
  (error: unknown) =>
    isLannerError(error) && error.code === code && text.test(error.message);

describe('short-lived tokens', () => {
  const clock = createVirtualClock();
  const signingKey = randomBytes(32);
  let database: Database;
  let tokens: AppTokens;
  let keys: ReturnType<typeof createKeys>;
  let authenticator: ReturnType<typeof createAuthenticator>;
  let ada: Principal;

  beforeEach(async () => {
    database = await openTemporaryDatabase();
    const changeFeed = createChangeFeed((error) => assert.fail(error as Error));
    const store = createSqliteKeyStore(database);
    keys = createKeys({ store, clock, changeFeed });
    authenticator = createAuthenticator({ store, changeFeed });
    tokens = createAppTokens({ signingKey, store, clock });
    ada = await principalOf('ada', { preset: 'FULL' });
  });
  afterEach(async () => {
    authenticator.close();
    await database.close();
  });

  async function principalOf(nickname: string, grant: KeyGrant): Promise<Principal> {
    const accounts = createAccounts({ store: createSqliteAccountStore(database), clock });
    const account =
      (await accounts.byNickname(nickname)) ?? (await accounts.create({ nickname, fullName: '', isPersonal: true }));
    return authenticator.authenticate({ kind: 'key', ...(await keys.create(account.accountId, grant, '')) });
  }
  const create = async (apps: string[], principal = ada, lifetimeSeconds = 120): Promise<string> =>
    (await tokens.create(principal, { apps, lifetimeSeconds })).token;

  it('act for the account of their key, for the apps they name, and may only call', async () => {
    const token = await create(['my-app', 'bob/other/realtime']);
    const principal = await tokens.verify(token);
    assert.equal(principal.accountId, ada.accountId);
    assert.equal(principal.nickname, 'ada');
    assert.deepEqual(principal.allowedApps, ['my-app', 'bob/other/realtime']);
    assert.deepEqual([...principal.permissions], ['serverless:apps:run', 'models:requests:submit']);
    assert.match(token, /^[A-Za-z0-9._-]+$/, 'fits into a query and a subprotocol as it stands');
  });

  it('may do no more than the key that made them', async () => {
    const submitter = await principalOf('bob', { permissions: ['models:requests:submit', 'models:tokens:create'] });
    const principal = await tokens.verify(await create(['x'], submitter));
    assert.equal(hasPermission(principal, 'serverless:apps:run'), false);
    assert.equal(hasPermission(principal, 'models:requests:submit'), true);
  });

  it('end with their lifetime', async () => {
    const token = await create(['my-app'], ada, 60);
    await clock.advance(58_000);
    await tokens.verify(token);
    await clock.advance(3_000);
    await assert.rejects(tokens.verify(token), hasCode('invalid_token', /has expired/));
  });

  it('end with the key that made them', async () => {
    const token = await create(['my-app']);
    await keys.revoke(ada.accountId, ada.keyId);
    await assert.rejects(tokens.verify(token), hasCode('invalid_token', /revoked/));
  });

  it('of another signing key, another algorithm or with other contents are refused', async () => {
    const token = await create(['my-app']);
    const [header, payload, signature] = token.split('.') as [string, string, string];
    const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
    const forged = [
      `${header}.${encode({ ...claims, apps: ['other'] })}.${signature}`,
      `${encode({ alg: 'none', typ: 'JWT' })}.${payload}.`,
      `${encode({ alg: 'none', typ: 'JWT' })}.${payload}.${signature}`,
      `${header}.${payload}.${signature.slice(0, -2)}`,
      `${header}.${payload}`,
      signedWith(signingKey, { ...claims, aud: 'files' }),
      signedWith(signingKey, { ...claims, exp: undefined }),
      signedWith(signingKey, { ...claims, apps: undefined }),
      signedWith(randomBytes(32), claims),
      'a'.repeat(20_000),
    ];
    for (const text of forged) await assert.rejects(tokens.verify(text), hasCode('invalid_token'), text.slice(0, 60));

    function signedWith(key: Uint8Array, contents: object): string {
      const signed = `${header}.${encode(contents)}`;
      return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
    }
  });

  it('never crash the reader, whatever is sent as one', async () => {
    const valid = await create(['my-app']);
    // Not the last letter: some of its bits mean nothing.
    const damaged = fc.tuple(fc.nat(valid.length - 2), fc.string({ maxLength: 3 })).map(([at, text]) => {
      const changed = valid.slice(0, at) + text + valid.slice(at + 1);
      return changed === valid ? `${valid}x` : changed;
    });
    const anything = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.array(fc.base64String(), { maxLength: 5 }).map((parts) => parts.join('.')),
      damaged,
    );
    await fc.assert(
      fc.asyncProperty(anything, (text) => assert.rejects(tokens.verify(text), hasCode('invalid_token'))),
      { numRuns: 300, seed: 1 },
    );
  });

  it('are not made for nothing, for unreadable apps, for ever, or by tokens', async () => {
    await assert.rejects(create([]), hasCode('invalid_argument', /one app or more/));
    await assert.rejects(create(Array.from({ length: 33 }, (_, at) => `app-${at}`)), hasCode('invalid_argument', /33/));
    for (const app of ['', '/', 'a//b', 'a/../b', 'a b', 'a?b', 'a'.repeat(300)]) {
      await assert.rejects(create([app]), hasCode('invalid_argument', /names no app/), app);
    }
    for (const lifetimeSeconds of [0, -1, Number.NaN, 86_401]) {
      await assert.rejects(create(['x'], ada, lifetimeSeconds), hasCode('invalid_argument', /lives 1 to 86400/));
    }
    const token = await tokens.verify(await create(['x']));
    await assert.rejects(create(['x'], token), hasCode('insufficient_permissions'));
  });

  it('are taken for calls, beside keys, and for nothing else', async () => {
    const calls = createCallAuthenticator({ authenticator, tokens });
    const presented = { kind: 'bearer', token: await create(['my-app']) } as const;
    assert.equal((await calls.authenticate(presented)).accountId, ada.accountId);
    assert.deepEqual((await calls.authenticateOptional(presented))?.allowedApps, ['my-app']);
    assert.equal(await calls.authenticateOptional({ kind: 'none' }), null);
    await assert.rejects(calls.authenticate({ kind: 'bearer', token: 'a:b' }), hasCode('unknown_key'));
    await assert.rejects(authenticator.authenticate(presented), hasCode('unknown_key'));
  });
});
