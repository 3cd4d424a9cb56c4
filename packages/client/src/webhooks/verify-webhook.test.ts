import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, describe, it } from 'node:test';
import { verifyWebhook, WebhookVerificationError, WebhookVerifier, type WebhookDelivery } from './index.ts';

interface Pair {
  privateKey: KeyObject;
  jwk: object;
}

function newPair(): Pair {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return { privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid: 'k' } };
}

const nowSeconds = 1_800_000_000;
const body = JSON.stringify({
  request_id: 'r',
  gateway_request_id: 'g',
  status: 'OK',
  payload: { images: ['é'] },
});

describe('verifyWebhook', () => {
  let server: Server;
  let jwksUrl: string;
  /** What the server publishes, and how often it was asked. */
  let published: unknown;
  let status: number;
  let fetches: number;
  let pair: Pair;
  before(async () => {
    server = createServer((_request, response) => {
      fetches += 1;
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(published));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/.well-known/jwks.json`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  beforeEach(() => {
    pair = newPair();
    published = {
      keys: [{ kty: 'RSA', n: 'x', e: 'AQAB' }, { kty: 'OKP', crv: 'Ed25519', x: '!' }, newPair().jwk, pair.jwk],
    };
    status = 200;
    fetches = 0;
  });

  const signed = (text = body, { key = pair.privateKey, at = nowSeconds, user = 'u' } = {}) => {
    const hash = createHash('sha256').update(text).digest('hex');
    const signature = sign(null, Buffer.from(`r\n${user}\n${at}\n${hash}`), key).toString('hex');
    const headers: Record<string, string> = {
      'X-Fal-Webhook-Request-Id': 'r',
      'X-Fal-Webhook-User-Id': user,
      'X-Fal-Webhook-Timestamp': String(at),
      'X-Fal-Webhook-Signature': signature,
    };
    return { headers, body: text };
  };
  let clockMs = nowSeconds * 1000;
  const newVerifier = (): WebhookVerifier => {
    clockMs = nowSeconds * 1000;
    return new WebhookVerifier({ jwksUrl, nowMs: () => clockMs });
  };
  const codeOf = async (verifier: WebhookVerifier, delivery: WebhookDelivery): Promise<string> => {
    try {
      await verifier.verify(delivery);
      return 'accepted';
    } catch (error) {
      assert.ok(error instanceof WebhookVerificationError);
      return error.code;
    }
  };

  it('tells what a genuine webhook says, whatever its headers and body are held in', async () => {
    const verifier = newVerifier();
    const { headers } = signed();
    const bytes = new TextEncoder().encode(body);
    const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
    for (const delivery of [
      { headers, body },
      { headers: new Headers(headers), body: bytes },
      { headers: lower, body: bytes.buffer },
      {
        headers: Object.fromEntries(Object.entries(lower).map(([name, value]) => [name, [value]])),
        body: Buffer.from(body),
      },
    ]) {
      const event = await verifier.verify<{ images: string[] }>(delivery);
      assert.deepEqual(event, {
        ...{ requestId: 'r', gatewayRequestId: 'g', userId: 'u', status: 'OK', payload: { images: ['é'] } },
        sentAt: new Date(nowSeconds * 1000),
      });
    }
    assert.equal(fetches, 1);
    const failed = {
      request_id: 'r',
      status: 'ERROR',
      payload: null,
      error: 'Invalid status code: 500',
      payload_error: 'no',
    };
    const event = await verifier.verify(signed(JSON.stringify(failed)));
    assert.deepEqual(
      [event.status, event.error, event.payloadError, event.gatewayRequestId],
      ['ERROR', 'Invalid status code: 500', 'no', 'r'],
    );
  });

  it('refuses whatever was changed', async () => {
    const verifier = newVerifier();
    const good = signed();
    const with_ = (name: string, value: string) => ({ ...good, headers: { ...good.headers, [name]: value } });
    const signature = good.headers['X-Fal-Webhook-Signature']!;
    const flipped = (signature.startsWith('0') ? '1' : '0') + signature.slice(1);
    const refusals: [WebhookDelivery, string][] = [
      [{ ...good, body: body.replace('OK', 'KO') }, 'invalid_signature'],
      [{ ...good, body: `${body} ` }, 'invalid_signature'],
      [with_('X-Fal-Webhook-User-Id', 'v'), 'invalid_signature'],
      [with_('X-Fal-Webhook-Request-Id', 's'), 'invalid_signature'],
      [with_('X-Fal-Webhook-Timestamp', String(nowSeconds + 1)), 'invalid_signature'],
      [with_('X-Fal-Webhook-Signature', flipped), 'invalid_signature'],
      [signed(body, { key: newPair().privateKey }), 'invalid_signature'],
      [with_('X-Fal-Webhook-Signature', signature.slice(2)), 'malformed_header'],
      [with_('X-Fal-Webhook-Timestamp', '1e9'), 'malformed_header'],
      [with_('X-Fal-Webhook-User-Id', ''), 'missing_header'],
      [{ headers: {}, body }, 'missing_header'],
      [signed('nonsense'), 'malformed_body'],
      [signed('null'), 'malformed_body'],
    ];
    for (const [delivery, code] of refusals) assert.equal(await codeOf(verifier, delivery), code);
    assert.equal(await codeOf(verifier, good), 'accepted');
  });

  it('refuses what is more than the tolerance away, before it fetches anything', async () => {
    const verifier = newVerifier();
    for (const off of [-301, 301]) {
      assert.equal(await codeOf(verifier, signed(body, { at: nowSeconds + off })), 'timestamp_out_of_tolerance');
    }
    assert.equal(fetches, 0);
    for (const off of [-300, 300])
      assert.equal(await codeOf(verifier, signed(body, { at: nowSeconds + off })), 'accepted');
  });

  it('fetches the set again for a key it does not know, once a minute at most', async () => {
    const verifier = newVerifier();
    assert.equal(await codeOf(verifier, signed()), 'accepted');
    const next = newPair();
    const rotated = signed(body, { key: next.privateKey });
    published = { keys: [next.jwk] };
    assert.equal(await codeOf(verifier, rotated), 'invalid_signature');
    assert.equal(fetches, 1);
    clockMs += 61_000;
    assert.equal(await codeOf(verifier, rotated), 'accepted');
    assert.equal(await codeOf(verifier, signed()), 'invalid_signature');
    assert.equal(fetches, 2);
  });

  it('goes on with the set it has while a new one cannot be had, for a day', async () => {
    const verifier = newVerifier();
    assert.equal(await codeOf(verifier, signed()), 'accepted');
    status = 500;
    clockMs += 2 * 3_600_000;
    assert.equal(await codeOf(verifier, signed(body, { at: clockMs / 1000 })), 'accepted');
    clockMs += 23 * 3_600_000;
    assert.equal(await codeOf(verifier, signed(body, { at: clockMs / 1000 })), 'keys_unavailable');
  });

  it('tells apart a webhook that is wrong and a key set that is not there', async () => {
    for (const answer of [{ keys: [] }, { keys: 'x' }, null, { keys: [{ kty: 'RSA' }] }]) {
      published = answer;
      assert.equal(await codeOf(newVerifier(), signed()), 'keys_unavailable');
    }
  });

  it('fetches once for many that come at the same time, and keeps the set between calls', async () => {
    const at = Math.floor(Date.now() / 1000);
    await Promise.all(Array.from({ length: 20 }, () => verifyWebhook(signed(body, { at }), { jwksUrl })));
    await verifyWebhook(signed(body, { at }), { jwksUrl });
    assert.equal(fetches, 1);
  });
});
