/**
 * What travels between server and supervisor while a command runs in a runner (`fal runners exec` and `shell`): frames on an
 * upgraded connection. One byte says what it is, four bytes (big endian) how long the rest is.
 */
export const sessionFrameKinds = {
  /** To the supervisor, first: JSON of {@link SessionOrder}. */
  open: 0,
  /** Bytes for its standard input. */
  input: 1,
  /** Its standard input ends; nothing is killed. */
  endOfInput: 2,
  /** JSON of {@link SessionSize}. */
  resize: 3,
  /** From the supervisor: bytes it wrote. */
  stdout: 11,
  stderr: 12,
  /** Last: JSON `{ "code": number }`, 128 + n when signal n ended it. */
  exit: 13,
  /** Last, instead of anything else: JSON of a SupervisorErrorBody. */
  refusal: 14,
} as const;

export type SessionFrameKind = keyof typeof sessionFrameKinds;

/** `GET /v1/runners/ID/session` with this in `upgrade`. */
export const sessionProtocol = 'lanner-session';

/** Lines and columns of a terminal. */
export interface SessionSize {
  rows: number;
  columns: number;
}

export interface SessionOrder {
  /** Program and arguments; empty: a login shell. */
  command: string[];
  /** Under a terminal of its own; else through pipes. */
  tty: boolean;
  size?: SessionSize | undefined;
}

export interface SessionFrame {
  kind: SessionFrameKind;
  payload: Buffer;
}

const headBytes = 5;
const maxPayloadBytes = 1024 * 1024;
const kindsByNumber = new Map<number, SessionFrameKind>(
  Object.entries(sessionFrameKinds).map(([kind, number]) => [number, kind as SessionFrameKind]),
);

export function encodeSessionFrame(kind: SessionFrameKind, payload: Uint8Array | object = new Uint8Array()): Buffer {
  const bytes = payload instanceof Uint8Array ? payload : Buffer.from(JSON.stringify(payload));
  const head = Buffer.alloc(headBytes);
  head.writeUInt8(sessionFrameKinds[kind], 0);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** Cuts a stream into frames. */
export class SessionFrameParser {
  #rest: Buffer = Buffer.alloc(0);

  /** @throws RangeError for what is no frame, or too long. */
  feed(chunk: Uint8Array): SessionFrame[] {
    this.#rest = this.#rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#rest, chunk]);
    const frames: SessionFrame[] = [];
    let at = 0;
    while (this.#rest.length - at >= headBytes) {
      const kind = kindsByNumber.get(this.#rest.readUInt8(at));
      const length = this.#rest.readUInt32BE(at + 1);
      if (kind === undefined || length > maxPayloadBytes) throw new RangeError('this is no frame of a session');
      if (this.#rest.length - at < headBytes + length) break;
      frames.push({ kind, payload: this.#rest.subarray(at + headBytes, at + headBytes + length) });
      at += headBytes + length;
    }
    this.#rest = this.#rest.subarray(at);
    return frames;
  }
}
