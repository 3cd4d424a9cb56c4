import { sign, type KeyObject } from 'node:crypto';

/** What a signature covers. */
export interface SignedFacts {
  requestId: string;
  /** Of the account that submitted. */
  userId: string;
  /** Seconds since the epoch. Receivers refuse one that is off by more than 300. */
  timestampSeconds: number;
  /** Of the raw body, lower-case hex. */
  bodySha256: string;
}

/**
 * The four headers that prove where a webhook comes from: Ed25519 over request id, user id, timestamp and the hash of the body, one
 * a line (data-plane 3.7; `@lanner/client` checks them in verify-webhook.ts).
 */
export function signWebhook(privateKey: KeyObject, facts: SignedFacts): Record<string, string> {
  const { requestId, userId, timestampSeconds, bodySha256 } = facts;
  const message = [requestId, userId, timestampSeconds, bodySha256].join('\n');
  return {
    'X-Fal-Webhook-Request-Id': requestId,
    'X-Fal-Webhook-User-Id': userId,
    'X-Fal-Webhook-Timestamp': String(timestampSeconds),
    'X-Fal-Webhook-Signature': sign(null, Buffer.from(message), privateKey).toString('hex'),
  };
}
