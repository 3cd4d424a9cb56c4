import type { Json } from '@lanner/protocol';
import { LannerError } from '@lanner/protocol';

/** Largest header of a bridge frame (docs/protocols/bridge.md). */
export const maxHeaderBytes = 1024 * 1024;
/** Largest payload of a bridge frame. */
export const maxPayloadBytes = 2 ** 31 - 1;

const prefixBytes = 8;

/** The JSON part of a frame; unknown fields are kept and ignored. */
export interface FrameHeader {
  type: string;
  [field: string]: Json | undefined;
}

/** Takes the payload of one frame as it arrives, so that gigabytes need no gigabytes of memory. */
export interface PayloadSink {
  /** @returns false when the sink is full: the connection is paused until `whenDrained` resolves. */
  write(chunk: Buffer): boolean;
  whenDrained(): Promise<void>;
  /** All bytes were written. */
  end(): void;
}

export interface FrameHandler {
  /**
   * A whole header arrived. Returns where the payload goes; undefined drops it. With `payloadBytes` 0 nothing is asked
   * of the sink but `end`.
   */
  onFrame(header: FrameHeader, payloadBytes: number): PayloadSink | undefined;
}

/**
 * The head of a frame: both lengths and the header. The caller sends exactly `payloadBytes` bytes after it.
 * @throws LannerError `payload_too_large` when header or payload pass the limits.
 */
export function encodeFrameHead(header: FrameHeader, payloadBytes = 0): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  if (json.length > maxHeaderBytes) {
    throw new LannerError(
      'payload_too_large',
      `A '${header.type}' frame needs a header of ${json.length} bytes, the limit is ${maxHeaderBytes}.`,
    );
  }
  if (payloadBytes > maxPayloadBytes) {
    throw new LannerError(
      'payload_too_large',
      `A '${header.type}' frame needs a payload of ${payloadBytes} bytes, the limit is ${maxPayloadBytes}.`,
    );
  }
  const head = Buffer.allocUnsafe(prefixBytes + json.length);
  head.writeUInt32BE(json.length, 0);
  head.writeUInt32BE(payloadBytes, 4);
  json.copy(head, prefixBytes);
  return head;
}

/**
 * Cuts a byte stream into frames. Push chunks as they arrive; payload chunks go to the sink without being copied.
 * A peer that breaks a limit or sends something that is not a frame makes `push` throw `bad_request`: disconnect it.
 */
export class FrameParser {
  readonly #handler: FrameHandler;
  /** Bytes of an incomplete prefix or header. */
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #payloadLeft = 0;
  #sink: PayloadSink | undefined;

  constructor(handler: FrameHandler) {
    this.#handler = handler;
  }

  /** True between frames: an end of the stream elsewhere cut a frame in two. */
  get isBetweenFrames(): boolean {
    return this.#pendingBytes === 0 && this.#payloadLeft === 0;
  }

  /** @returns undefined, or the sink that is full and has to drain before the next push. */
  push(input: Buffer): PayloadSink | undefined {
    let chunk = input;
    let full: PayloadSink | undefined;
    for (;;) {
      if (this.#payloadLeft > 0) {
        if (chunk.length === 0) return full;
        const part = chunk.length > this.#payloadLeft ? chunk.subarray(0, this.#payloadLeft) : chunk;
        chunk = chunk.subarray(part.length);
        this.#payloadLeft -= part.length;
        if (this.#sink !== undefined && !this.#sink.write(part)) full = this.#sink;
        if (this.#payloadLeft === 0) {
          this.#sink?.end();
          this.#sink = undefined;
        }
        continue;
      }
      const frame = this.#takeHead(chunk);
      if (frame === undefined) return full;
      chunk = frame.rest;
      const sink = this.#handler.onFrame(frame.header, frame.payloadBytes);
      this.#payloadLeft = frame.payloadBytes;
      if (frame.payloadBytes === 0) sink?.end();
      else this.#sink = sink;
    }
  }

  #takeHead(chunk: Buffer): { header: FrameHeader; payloadBytes: number; rest: Buffer } | undefined {
    const available = this.#pendingBytes + chunk.length;
    if (available === 0) return undefined;
    const bytes = this.#pendingBytes === 0 ? chunk : this.#joinIfNeeded(chunk, available);
    if (bytes === undefined) return undefined;
    if (bytes.length < prefixBytes) return this.#keep(bytes);
    const headerBytes = bytes.readUInt32BE(0);
    const payloadBytes = bytes.readUInt32BE(4);
    if (headerBytes > maxHeaderBytes || headerBytes < 2) {
      throw new LannerError(
        'bad_request',
        `A frame announces a header of ${headerBytes} bytes (2 to ${maxHeaderBytes}).`,
      );
    }
    if (payloadBytes > maxPayloadBytes) {
      throw new LannerError(
        'bad_request',
        `A frame announces ${payloadBytes} payload bytes (at most ${maxPayloadBytes}).`,
      );
    }
    const end = prefixBytes + headerBytes;
    if (bytes.length < end) return this.#keep(bytes);
    return { header: parseHeader(bytes.subarray(prefixBytes, end)), payloadBytes, rest: bytes.subarray(end) };
  }

  /** Joins what is pending once enough is there; a 1 MiB header in small pieces must not be copied once per piece. */
  #joinIfNeeded(chunk: Buffer, available: number): Buffer | undefined {
    const first = this.#pending[0]!;
    const needed = first.length < prefixBytes ? prefixBytes : prefixBytes + first.readUInt32BE(0);
    if (available < needed) {
      if (chunk.length > 0) this.#pending.push(chunk);
      this.#pendingBytes = available;
      return undefined;
    }
    const bytes = Buffer.concat([...this.#pending, chunk], available);
    this.#pending = [];
    this.#pendingBytes = 0;
    return bytes;
  }

  #keep(bytes: Buffer): undefined {
    this.#pending = bytes.length === 0 ? [] : [bytes];
    this.#pendingBytes = bytes.length;
    return undefined;
  }
}

function parseHeader(bytes: Buffer): FrameHeader {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new LannerError('bad_request', 'A frame header is not JSON.', { cause: error });
  }
  if (typeof value !== 'object' || value === null || typeof (value as FrameHeader).type !== 'string') {
    throw new LannerError('bad_request', "A frame header is not an object with a string field 'type'.");
  }
  return value as FrameHeader;
}
