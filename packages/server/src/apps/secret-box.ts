import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

/** Encrypts and decrypts values that belong to a place: a sealed value moved elsewhere does not open. */
export interface SecretBox {
  seal(value: string, place: readonly string[]): Uint8Array;
  /** Throws when the key, the place or the bytes are not the ones it was sealed with. */
  open(sealed: Uint8Array, place: readonly string[]): string;
}

/** First byte of a sealed value; another one means another layout. */
const layoutVersion = 1;
const nonceBytes = 12;
const tagBytes = 16;
const headerBytes = 1 + nonceBytes + tagBytes;

/**
 * AES-256-GCM with a random nonce each (fine for the few billion values one key may see) and the place as associated data.
 * Sealed: version, nonce, tag, ciphertext.
 */
export function createSecretBox(key: Uint8Array): SecretBox {
  const toAssociatedData = (place: readonly string[]): Buffer => Buffer.from(JSON.stringify(place));
  return {
    seal(value, place) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes });
      cipher.setAAD(toAssociatedData(place));
      const body = Buffer.concat([cipher.update(value, 'utf8'), cipher.final()]);
      return Buffer.concat([Buffer.from([layoutVersion]), nonce, cipher.getAuthTag(), body]);
    },
    open(sealed, place) {
      if (sealed.length < headerBytes || sealed[0] !== layoutVersion)
        throw new Error('not a sealed value of this layout');
      const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(1, 1 + nonceBytes), {
        authTagLength: tagBytes,
      });
      decipher.setAuthTag(sealed.subarray(1 + nonceBytes, headerBytes));
      decipher.setAAD(toAssociatedData(place));
      return Buffer.concat([decipher.update(sealed.subarray(headerBytes)), decipher.final()]).toString('utf8');
    },
  };
}
