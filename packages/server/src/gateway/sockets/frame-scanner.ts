/** Why a stream of frames cannot go on. */
export type FrameViolation =
  /** Not WebSocket (RFC 6455 5.2): no peer would take it. */
  | 'malformed'
  /** A message larger than allowed. */
  | 'too-big';

const continuation = 0x0;
const binary = 0x2;
const firstControl = 0x8;
const close = 0x8;
const lastControl = 0xa;
const longestControlBytes = 125;

/** What the next byte belongs to. Numbers, because every socket has two scanners. */
const phases = { opcode: 0, length: 1, extended: 2, mask: 3, payload: 4 } as const;

/**
 * Follows the frames of one direction of a WebSocket without touching them: knows when a frame is complete, so that another
 * may be put behind it, and what has passed. Payloads are skipped, not read; they may be masked and compressed.
 */
export class FrameScanner {
  readonly #maxMessageBytes: number;
  #phase: number = phases.opcode;
  #left = 0;
  #opcode = 0;
  #isFinal = true;
  #isMasked = false;
  #payloadBytes = 0;
  #messageBytes = 0;
  #isInMessage = false;
  #hasClosed = false;
  #hasData = false;
  #boundaryAt = 0;

  /** @param maxMessageBytes for all frames of one message together, compressed as they may be. */
  constructor(maxMessageBytes: number) {
    this.#maxMessageBytes = maxMessageBytes;
  }

  /** True where another frame may be put into the stream. */
  get isBetweenFrames(): boolean {
    return this.#phase === phases.opcode;
  }

  /** A close frame has passed, or has begun to. */
  get hasClosed(): boolean {
    return this.#hasClosed;
  }

  /** Whether the last chunk held anything of a message; pings, pongs and closes are none. */
  get hasData(): boolean {
    return this.#hasData;
  }

  /** Where in the last chunk its last complete frame ends; 0 when none does but it began between frames, -1 when it did not. */
  get boundaryAt(): number {
    return this.#boundaryAt;
  }

  /**
   * Reads on. A violation is found before anything of its frame is past `boundaryAt`; nothing may be pushed after it, and
   * `isBetweenFrames` tells how it stands there.
   */
  push(chunk: Uint8Array): FrameViolation | null {
    this.#hasData = false;
    this.#boundaryAt = this.isBetweenFrames ? 0 : -1;
    let at = 0;
    while (at < chunk.length) {
      if (this.#phase === phases.payload) {
        const taken = Math.min(this.#left, chunk.length - at);
        at += taken;
        this.#left -= taken;
        if (this.#opcode < firstControl) this.#hasData = true;
        if (this.#left === 0) this.#phase = phases.opcode;
      } else {
        const violation = this.#readHeaderByte(chunk[at]!);
        if (violation !== null) {
          this.#phase = this.#boundaryAt === -1 ? phases.payload : phases.opcode;
          return violation;
        }
        at += 1;
      }
      if (this.isBetweenFrames) this.#boundaryAt = at;
    }
    return null;
  }

  #readHeaderByte(byte: number): FrameViolation | null {
    switch (this.#phase) {
      case phases.opcode:
        return this.#readOpcode(byte);
      case phases.length:
        this.#isMasked = (byte & 0x80) !== 0;
        this.#payloadBytes = byte & 0x7f;
        if (this.#payloadBytes > longestControlBytes) {
          if (this.#opcode >= firstControl) return 'malformed';
          this.#left = this.#payloadBytes === 126 ? 2 : 8;
          this.#payloadBytes = 0;
          this.#phase = phases.extended;
          return null;
        }
        return this.#onLength();
      case phases.extended:
        this.#payloadBytes = this.#payloadBytes * 256 + byte;
        this.#left -= 1;
        return this.#left === 0 ? this.#onLength() : null;
      default:
        this.#left -= 1;
        if (this.#left === 0) this.#beginPayload();
        return null;
    }
  }

  #readOpcode(byte: number): FrameViolation | null {
    this.#opcode = byte & 0x0f;
    this.#isFinal = (byte & 0x80) !== 0;
    this.#phase = phases.length;
    if (this.#opcode >= firstControl) {
      if (this.#opcode > lastControl || !this.#isFinal) return 'malformed';
      if (this.#opcode === close) this.#hasClosed = true;
      return null;
    }
    if (this.#opcode > binary || (this.#opcode === continuation) !== this.#isInMessage) return 'malformed';
    if (!this.#isInMessage) this.#messageBytes = 0;
    this.#isInMessage = !this.#isFinal;
    this.#hasData = true;
    return null;
  }

  #onLength(): FrameViolation | null {
    if (this.#opcode < firstControl) {
      this.#messageBytes += this.#payloadBytes;
      if (this.#messageBytes > this.#maxMessageBytes) return 'too-big';
    }
    if (this.#isMasked) {
      this.#left = 4;
      this.#phase = phases.mask;
    } else {
      this.#beginPayload();
    }
    return null;
  }

  #beginPayload(): void {
    this.#left = this.#payloadBytes;
    this.#phase = this.#left === 0 ? phases.opcode : phases.payload;
  }
}
