import assert from 'node:assert/strict';
import { createPublicKey, createHash, randomBytes, verify } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { isLannerError } from '@lanner/protocol';
import { createSecretBox } from '../apps/secret-box.ts';
import type { Database } from '../db/database.ts';
import { openTemporaryDatabase } from '../db/temporary-database.ts';
import { signWebhook } from './sign-webhook.ts';
import { openSigningKeys, type PublicJwk, type SigningKeys } from './signing-keys.ts';
import { createSqliteWebhookKeyStore } from './sqlite-webhook-key-store.ts';

const hourMs = 60 * 60 * 1000;
const facts = {
  requestId: 'r',
  userId: 'u',
  timestampSeconds: 1,
  bodySha256: createHash('sha256').update('').digest('hex'),
};

describe('the keys webhooks are signed with', () => {
  let database: Database;
  let nowMs: number;
  let complaints: string[];
  const box = createSecretBox(randomBytes(32));
  beforeEach(async () => {
    database = await openTemporaryDatabase();
    nowMs = 1_000_000;
    complaints = [];
  });
  afterEach(() => database.close());

  const open = (secrets = box): Promise<SigningKeys> =>
    openSigningKeys({
      store: createSqliteWebhookKeyStore(database),
      box: secrets,
      clock: { nowMs: () => nowMs },
      log: { error: (_facts, message) => void complaints.push(message) },
    });
  const signerOf = (keys: SigningKeys, published: PublicJwk[] = keys.published()): string | undefined => {
    const signature = Buffer.from(signWebhook(keys.current(), facts)['X-Fal-Webhook-Signature']!, 'hex');
    const message = Buffer.from(`r\nu\n1\n${facts.bodySha256}`);
    return published.find((jwk) =>
      verify(null, message, createPublicKey({ format: 'jwk', key: { ...jwk } }), signature),
    )?.kid;
  };

  it('are made at the first start, kept, and never stored in the clear', async () => {
    const first = await open();
    const [jwk] = first.published();
    assert.deepEqual(Object.keys(jwk!).toSorted(), ['alg', 'crv', 'kid', 'kty', 'use', 'x']);
    assert.deepEqual((await open()).published(), [jwk]);
    assert.equal(signerOf(await open()), jwk!.kid);
    const rows = await database.read((db) => db.all<Record<string, unknown>>('SELECT * FROM webhook_keys'));
    assert.ok(!JSON.stringify(rows).includes('PRIVATE KEY'));
  });

  it('rotate with an overlap: published for a day before the first signature, and a day after the last', async () => {
    const keys = await open();
    const old = keys.published()[0]!.kid;
    const next = await keys.rotate({ immediately: false });
    assert.deepEqual(
      keys.published().map(({ kid }) => kid),
      [old, next.keyId],
    );
    assert.equal(signerOf(keys), old);
    await assert.rejects(
      keys.rotate({ immediately: false }),
      (error) => isLannerError(error) && error.code === 'conflict',
    );
    nowMs += 24 * hourMs;
    assert.equal(signerOf(keys), old, 'somebody may hold the set of a day ago');
    const setOfNow = keys.published();
    nowMs += 2 * hourMs;
    assert.equal(signerOf(keys, setOfNow), next.keyId);
    assert.equal(signerOf(await open()), next.keyId);
    nowMs += 25 * hourMs;
    assert.deepEqual(
      keys.published().map(({ kid }) => kid),
      [next.keyId],
    );
    assert.deepEqual((await open()).list().length, 1);
    assert.ok(await keys.rotate({ immediately: false }));
  });

  it('rotate immediately: the old one is withdrawn at once', async () => {
    const keys = await open();
    await keys.rotate({ immediately: false });
    const next = await keys.rotate({ immediately: true });
    assert.deepEqual(
      keys.published().map(({ kid }) => kid),
      [next.keyId],
    );
    assert.equal(signerOf(keys), next.keyId);
  });

  it('are replaced, loudly, when the secrets key is another one', async () => {
    const old = (await open()).published()[0]!.kid;
    const keys = await open(createSecretBox(randomBytes(32)));
    assert.equal(complaints.length, 1);
    assert.equal(keys.published().length, 1);
    assert.notEqual(keys.published()[0]!.kid, old);
    assert.equal(signerOf(keys), keys.published()[0]!.kid);
  });

  it('sign with what there is when the clock was set back', async () => {
    await open();
    nowMs = 5;
    const keys = await open();
    assert.equal(signerOf(keys), keys.published()[0]!.kid);
  });
});
