import { randomBytes } from 'node:crypto';

const prefix = Buffer.from('.lanner-upload-');

/** Of a file that is still being written, beside the one it will replace. */
export function temporaryName(): Buffer {
  return Buffer.concat([prefix, Buffer.from(randomBytes(12).toString('hex'))]);
}

export function isTemporaryName(name: Buffer): boolean {
  return name.subarray(0, prefix.length).equals(prefix);
}
