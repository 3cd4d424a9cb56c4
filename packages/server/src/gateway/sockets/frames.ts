import { randomBytes } from 'node:crypto';

/**
 * Close codes that Lanner itself sends (RFC 6455 7.4, IANA); those of caller and app pass as they are. docs/sockets.md tells
 * their meaning.
 */
export const closeCodes = {
  normal: 1000,
  goingAway: 1001,
  protocolError: 1002,
  refused: 1008,
  tooBig: 1009,
  appFailed: 1011,
  tryLater: 1013,
  timeout: 3008,
} as const;

export type CloseCode = (typeof closeCodes)[keyof typeof closeCodes];

/** Longest reason a close frame has room for. */
const longestReasonBytes = 123;

/** One close frame. `isMasked`: towards a server, i.e. the app. */
export function closeFrame(code: number, reason: string, isMasked: boolean): Buffer {
  const text = cutUtf8(Buffer.from(reason), longestReasonBytes);
  const payload = Buffer.allocUnsafe(2 + text.length);
  payload.writeUInt16BE(code);
  text.copy(payload, 2);
  return frame(0x8, payload, isMasked);
}

/** One text message, as a server sends it. At most 64 KiB. */
export function textFrame(text: string): Buffer {
  return frame(0x1, Buffer.from(text), false);
}

function frame(opcode: number, payload: Buffer, isMasked: boolean): Buffer {
  const isShort = payload.length < 126;
  const head = Buffer.alloc(isShort ? 2 : 4);
  head[0] = 0x80 | opcode;
  head[1] = (isMasked ? 0x80 : 0) | (isShort ? payload.length : 126);
  if (!isShort) head.writeUInt16BE(payload.length, 2);
  if (!isMasked) return Buffer.concat([head, payload]);
  const mask = randomBytes(4);
  return Buffer.concat([head, mask, payload.map((byte, index) => byte ^ mask[index % 4]!)]);
}

/** The longest beginning of `bytes` that has at most `limit` of them and ends with a whole character. */
function cutUtf8(bytes: Buffer, limit: number): Buffer {
  if (bytes.length <= limit) return bytes;
  let end = limit;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end);
}
