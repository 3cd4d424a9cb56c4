import { isAnyFraming, keepsConnection, readAnswerFraming } from './answer-framing.ts';
import { parseFieldLines } from './field-lines.ts';
import type { UpstreamHeaders } from './upstream-transport.ts';

/** Gets what a parser finds. It may stop the parser from within every call. */
export interface AnswerSink {
  onHead(status: number, reason: string, headers: UpstreamHeaders): void;
  /** A copy: the bytes that the parser was fed may be written over. */
  onData(chunk: Buffer): void;
  onEnd(trailers: UpstreamHeaders): void;
}

/** What came is not an answer of HTTP/1.1. */
export class BadAnswer extends Error {
  override readonly name = 'BadAnswer';
}

/** `idle`: nothing is expected. `stopped`: whatever comes is of no interest. */
type State = 'idle' | 'stopped' | 'head' | 'sized' | 'chunk-size' | 'chunk' | 'chunk-end' | 'trailers' | 'until-close';

const statusLine = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([^\0-\x08\x0a-\x1f\x7f]*))?$/; // eslint-disable-line no-control-regex
const chunkSizeLine = /^([0-9a-fA-F]{1,12})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/;
const longestChunkLine = 1024;
const headEnd = '\r\n\r\n';
const noTrailers: UpstreamHeaders = {};

/**
 * Reads the answers on one connection to a runner, one at a time (RFC 9112). Strict: what two readers could understand
 * differently is refused. Holds no more than the head of an answer.
 */
export class AnswerParser {
  readonly #maxHeadBytes: number;
  #state: State = 'idle';
  #sink: AnswerSink | null = null;
  #method = '';
  /** Of a head, a line or the trailers that came in part. */
  #pending = '';
  /** Bytes missing of the body or the chunk. */
  #leftBytes = 0;
  #keepsConnection = true;

  /** @param maxHeadBytes of status line and headers together, and of trailers. */
  constructor(maxHeadBytes: number) {
    this.#maxHeadBytes = maxHeadBytes;
  }

  /** False once an answer said, or its framing means, that the connection ends with it. */
  get keepsConnection(): boolean {
    return this.#keepsConnection;
  }

  /** Makes ready for the answer to a request that is being sent. */
  expect(method: string, sink: AnswerSink): void {
    this.#method = method;
    this.#sink = sink;
    this.#state = 'head';
  }

  /** Nothing more is told of the answer that is being read. */
  stop(): void {
    this.#state = 'stopped';
    this.#sink = null;
  }

  /**
   * Takes what the connection brought.
   * @throws BadAnswer also when something comes that nobody asked for.
   */
  write(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length && this.#state !== 'stopped') at = this.#step(bytes, at);
  }

  /**
   * The runner closed its side. Ends a body that ends so.
   * @returns false when an answer was due or cut short.
   */
  end(): boolean {
    if (this.#state === 'idle' || this.#state === 'stopped') return true;
    if (this.#state !== 'until-close') return false;
    this.#finish(noTrailers);
    return true;
  }

  /** Reads on from `at`; returns where it stopped. */
  #step(bytes: Buffer, at: number): number {
    switch (this.#state) {
      case 'head':
        return this.#readHead(bytes, at);
      case 'sized':
      case 'chunk':
        return this.#readBody(bytes, at);
      case 'until-close':
        this.#sink!.onData(Buffer.from(bytes.subarray(at)));
        return bytes.length;
      case 'chunk-size':
      case 'chunk-end':
      case 'trailers':
        return this.#readLine(bytes, at);
      case 'idle':
      case 'stopped':
        throw new BadAnswer('bytes that no request asked for');
    }
  }

  #readHead(bytes: Buffer, at: number): number {
    const pendingLength = this.#pending.length;
    const text = this.#pending + bytes.toString('latin1', at, Math.min(bytes.length, at + this.#maxHeadBytes + 1));
    // The end may have begun in the part that came before.
    const end = text.indexOf(headEnd, Math.max(0, pendingLength - headEnd.length + 1));
    if (end === -1) {
      refuseHopelessHead(text);
      if (text.length > this.#maxHeadBytes) throw new BadAnswer(`more than ${this.#maxHeadBytes} bytes of headers`);
      this.#pending = text;
      return bytes.length;
    }
    if (end > this.#maxHeadBytes) throw new BadAnswer(`more than ${this.#maxHeadBytes} bytes of headers`);
    this.#pending = '';
    this.#takeHead(text.slice(0, end).split('\r\n'));
    return at + end + headEnd.length - pendingLength;
  }

  #takeHead(lines: string[]): void {
    const first = statusLine.exec(lines[0]!);
    const headers = first === null ? null : parseFieldLines(lines, 1);
    if (first === null || headers === null) throw new BadAnswer('a status line or header that is not HTTP/1.1');
    const status = Number(first[2]);
    if (status === 101) throw new BadAnswer('a change of protocol that nobody asked for');
    // The final answer comes after it.
    if (status < 200) return;
    const framing = readAnswerFraming(this.#method, status, headers);
    if (framing === null) throw new BadAnswer('a length or transfer coding that contradicts itself');
    this.#keepsConnection = framing.kind !== 'until-close' && keepsConnection(first[1]!, headers);
    if (framing.kind !== 'none') this.#state = framing.kind === 'chunked' ? 'chunk-size' : framing.kind;
    this.#leftBytes = framing.kind === 'sized' ? framing.sizeBytes : 0;
    this.#sink!.onHead(status, first[3] ?? '', headers);
    if (framing.kind === 'none') this.#finish(noTrailers);
  }

  #readBody(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#leftBytes);
    this.#leftBytes -= end - at;
    const isLast = this.#leftBytes === 0;
    const isChunk = this.#state === 'chunk';
    if (isLast && isChunk) this.#state = 'chunk-end';
    this.#sink!.onData(Buffer.from(bytes.subarray(at, end)));
    if (isLast && !isChunk) this.#finish(noTrailers);
    return end;
  }

  /** Reads to the end of a line: of a chunk's size, of the empty line behind a chunk, or of the trailers, which are several. */
  #readLine(bytes: Buffer, at: number): number {
    const newline = bytes.indexOf(0x0a, at);
    const end = newline === -1 ? bytes.length : newline + 1;
    this.#pending += bytes.toString('latin1', at, end);
    const limit = this.#state === 'trailers' ? this.#maxHeadBytes : longestChunkLine;
    if (this.#pending.length > limit) throw new BadAnswer(`more than ${limit} bytes around a chunk`);
    if (newline === -1) return end;
    if (!this.#pending.endsWith('\r\n')) throw new BadAnswer('a line that ends without a carriage return');
    if (this.#state === 'trailers') this.#takeTrailerLine();
    else this.#takeChunkLine(this.#pending.slice(0, -2));
    return end;
  }

  #takeChunkLine(line: string): void {
    this.#pending = '';
    if (this.#state === 'chunk-end') {
      if (line !== '') throw new BadAnswer('a chunk that is longer than it says');
      this.#state = 'chunk-size';
      return;
    }
    const size = chunkSizeLine.exec(line)?.[1];
    if (size === undefined) throw new BadAnswer('a chunk without a size');
    this.#leftBytes = Number.parseInt(size, 16);
    this.#state = this.#leftBytes === 0 ? 'trailers' : 'chunk';
  }

  #takeTrailerLine(): void {
    const text = this.#pending;
    if (text === '\r\n') return this.#finish(noTrailers);
    if (!text.endsWith(headEnd)) return;
    const trailers = parseFieldLines(text.slice(0, -headEnd.length).split('\r\n'), 0);
    if (trailers === null || isAnyFraming(trailers)) throw new BadAnswer('a trailer that cannot be one');
    this.#finish(trailers);
  }

  #finish(trailers: UpstreamHeaders): void {
    const sink = this.#sink;
    // Stopped from within `onHead` or `onData`.
    if (sink === null) return;
    this.#sink = null;
    this.#pending = '';
    this.#state = 'idle';
    sink.onEnd(trailers);
  }
}

/** Says at once, and not when the time is over, that something will never be the head of an answer. */
function refuseHopelessHead(text: string): void {
  const begin = 'HTTP/1.';
  if (!text.startsWith(begin.slice(0, text.length)) || /[^\r]\n/.test(text))
    throw new BadAnswer('something other than HTTP/1.1');
}
