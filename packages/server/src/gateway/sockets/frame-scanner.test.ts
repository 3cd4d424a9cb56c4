import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FrameScanner } from './frame-scanner.ts';

interface Frame {
  opcode: number;
  isFinal: boolean;
  isMasked: boolean;
  payload: Uint8Array;
}

function encode({ opcode, isFinal, isMasked, payload }: Frame): Buffer {
  const { length } = payload;
  const head = length < 126 ? Buffer.alloc(2) : length < 65_536 ? Buffer.alloc(4) : Buffer.alloc(10);
  head[0] = (isFinal ? 0x80 : 0) | opcode;
  head[1] = (isMasked ? 0x80 : 0) | (length < 126 ? length : length < 65_536 ? 126 : 127);
  if (head.length === 4) head.writeUInt16BE(length, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, isMasked ? Buffer.from([1, 2, 3, 4]) : Buffer.alloc(0), payload]);
}

const text = (payload: string | Uint8Array, isFinal = true, opcode = 1): Buffer =>
  encode({ opcode, isFinal, isMasked: true, payload: typeof payload === 'string' ? Buffer.from(payload) : payload });
const ping = encode({ opcode: 9, isFinal: true, isMasked: false, payload: Buffer.from('?') });
const closing = encode({ opcode: 8, isFinal: true, isMasked: false, payload: Buffer.from([3, 232]) });

describe('the scanner of frames', () => {
  it('knows where a frame ends, however it is cut', () => {
    const scanner = new FrameScanner(1000);
    const bytes = text('hello');
    for (const [index, byte] of bytes.entries()) {
      assert.equal(scanner.push(Buffer.from([byte])), null);
      assert.equal(scanner.isBetweenFrames, index === bytes.length - 1);
    }
  });

  it('tells messages from pings and closes', () => {
    const scanner = new FrameScanner(1000);
    scanner.push(ping);
    assert.equal(scanner.hasData, false);
    scanner.push(text(''));
    assert.equal(scanner.hasData, true);
    scanner.push(Buffer.concat([ping, text('x').subarray(0, 4)]));
    assert.equal(scanner.hasData, true);
    assert.equal(scanner.hasClosed, false);
    scanner.push(text('x').subarray(4));
    scanner.push(closing);
    assert.equal(scanner.hasData, false);
    assert.equal(scanner.hasClosed, true);
  });

  it('finds a message too large at its header, its fragments added up and pings between them not', () => {
    assert.equal(new FrameScanner(10).push(text('12345678901').subarray(0, 2)), 'too-big');
    assert.equal(new FrameScanner(10).push(text('1234567890')), null);
    const scanner = new FrameScanner(10);
    assert.equal(scanner.push(text('123456', false)), null);
    assert.equal(scanner.push(ping), null);
    assert.equal(scanner.push(text('1234', false, 0)), null);
    assert.equal(scanner.push(text('5', true, 0)), 'too-big');
    const huge = Buffer.from([0x82, 127, 255, 255, 255, 255, 255, 255, 255, 255]);
    assert.equal(new FrameScanner(10).push(huge), 'too-big');
  });

  it('counts each message by itself', () => {
    const scanner = new FrameScanner(10);
    for (let message = 0; message < 5; message += 1) {
      assert.equal(scanner.push(text('12345', false)), null);
      assert.equal(scanner.push(text('12345', true, 0)), null);
    }
  });

  it('tells how much of a chunk may pass in front of a frame that may not', () => {
    const scanner = new FrameScanner(10);
    const good = text('123');
    assert.equal(scanner.push(Buffer.concat([good, text('12345678901')])), 'too-big');
    assert.equal(scanner.boundaryAt, good.length);
    assert.equal(scanner.isBetweenFrames, true);
    const cut = new FrameScanner(10);
    cut.push(text('12345678901').subarray(0, 1));
    assert.equal(cut.push(text('12345678901').subarray(1)), 'too-big');
    assert.equal(cut.boundaryAt, -1);
    assert.equal(cut.isBetweenFrames, false);
  });

  it('refuses what no peer would take', () => {
    const frames = [
      text('', true, 3),
      encode({ opcode: 11, isFinal: true, isMasked: false, payload: Buffer.alloc(0) }),
      encode({ opcode: 9, isFinal: false, isMasked: false, payload: Buffer.alloc(0) }),
      encode({ opcode: 9, isFinal: true, isMasked: false, payload: Buffer.alloc(126) }),
      text('', true, 0),
      Buffer.concat([text('a', false), text('b', true)]),
    ];
    for (const bytes of frames) assert.equal(new FrameScanner(1000).push(bytes), 'malformed', bytes.toString('hex'));
  });

  const frame = fc.record({
    opcode: fc.constantFrom(1, 2, 8, 9, 10),
    isFinal: fc.constant(true),
    isMasked: fc.boolean(),
    payload: fc.oneof(
      fc.uint8Array({ maxLength: 125 }),
      fc.nat(70_000).map((length) => new Uint8Array(length)),
    ),
  });
  const legal = frame.map((one) => (one.opcode >= 8 ? { ...one, payload: one.payload.subarray(0, 125) } : one));

  it('follows every stream of legal frames, cut anywhere', () => {
    fc.assert(
      fc.property(fc.array(legal, { maxLength: 8 }), fc.array(fc.nat(400_000), { maxLength: 12 }), (frames, cuts) => {
        const encoded = frames.map(encode);
        const bytes = Buffer.concat(encoded);
        const ends = new Set([0]);
        for (const one of encoded) ends.add([...ends].at(-1)! + one.length);
        const scanner = new FrameScanner(1_000_000);
        let from = 0;
        for (const to of [...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length]) {
          assert.equal(scanner.push(bytes.subarray(from, to)), null);
          assert.equal(scanner.isBetweenFrames, ends.has(to), `at ${to}`);
          from = to;
        }
        assert.equal(
          scanner.hasClosed,
          frames.some(({ opcode }) => opcode === 8),
        );
      }),
      { numRuns: 300, seed: 1 },
    );
  });

  it('answers any bytes with a verdict, the same for the whole and for its pieces', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), (bytes, cut) => {
        const whole = new FrameScanner(100).push(bytes);
        const pieces = new FrameScanner(100);
        const first = pieces.push(bytes.subarray(0, cut));
        assert.equal(first ?? pieces.push(bytes.subarray(cut)), whole);
      }),
      { numRuns: 1000, seed: 1 },
    );
  });
});
