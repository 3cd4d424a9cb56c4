import { createHmac, createSecretKey, timingSafeEqual } from 'node:crypto';

/** Signs what is handed out inside URLs and tokens. Nothing of it is stored. */
export interface Signer {
  /** 43 characters of base64url. */
  sign(purpose: string, text: string): string;
  verify(purpose: string, text: string, signature: string): boolean;
}

/**
 * @param secret at least 32 bytes; another one makes everything signed before void. A key of our own is derived from it, so what
 * others sign with it is no signature here.
 */
export function createSigner(secret: Uint8Array): Signer {
  const key = createSecretKey(createHmac('sha256', secret).update('lanner files').digest());
  const digest = (purpose: string, text: string): Buffer =>
    createHmac('sha256', key).update(`${purpose}\n${text}`).digest();
  return {
    sign: (purpose, text) => digest(purpose, text).toString('base64url'),
    verify(purpose, text, signature) {
      const sent = Buffer.from(signature, 'base64url');
      const wanted = digest(purpose, text);
      return sent.length === wanted.length && timingSafeEqual(sent, wanted);
    },
  };
}
