import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isLannerError } from '@lanner/protocol';
import { encodeFrameHead, FrameParser, maxHeaderBytes, maxPayloadBytes, type FrameHeader } from './frames.ts';

function collect(): { parser: FrameParser; frames: { header: FrameHeader; payload: string; hasEnded: boolean }[] } {
  const frames: { header: FrameHeader; payload: string; hasEnded: boolean }[] = [];
  const parser = new FrameParser({
    onFrame(header) {
      const frame = { header, payload: '', hasEnded: false };
      frames.push(frame);
      return {
        write(chunk) {
          frame.payload += chunk.toString();
          return true;
        },
        whenDrained: () => Promise.resolve(),
        end() {
          frame.hasEnded = true;
        },
      };
    },
  });
  return { parser, frames };
}

const threeFrames = Buffer.concat([
  encodeFrameHead({ type: 'log', line: 'grüße' }),
  encodeFrameHead({ type: 'result' }, 5),
  Buffer.from('hello'),
  encodeFrameHead({ type: 'exit', code: 0 }),
]);

describe('FrameParser', () => {
  it('reads the same frames however the bytes are cut', () => {
    for (let size = 1; size <= threeFrames.length; size += 1) {
      const { parser, frames } = collect();
      for (let offset = 0; offset < threeFrames.length; offset += size) {
        parser.push(threeFrames.subarray(offset, offset + size));
      }
      assert.deepEqual(
        frames,
        [
          { header: { type: 'log', line: 'grüße' }, payload: '', hasEnded: true },
          { header: { type: 'result' }, payload: 'hello', hasEnded: true },
          { header: { type: 'exit', code: 0 }, payload: '', hasEnded: true },
        ],
        `pieces of ${size} bytes`,
      );
      assert.equal(parser.isBetweenFrames, true);
    }
  });

  it('knows when the stream stops inside a frame', () => {
    const { parser } = collect();
    parser.push(threeFrames.subarray(0, threeFrames.length - 1));
    assert.equal(parser.isBetweenFrames, false);
  });

  it('drops a payload nobody wants and goes on with the next frame', () => {
    const types: string[] = [];
    const parser = new FrameParser({
      onFrame(header) {
        types.push(header.type);
        return undefined;
      },
    });
    parser.push(threeFrames);
    assert.deepEqual(types, ['log', 'result', 'exit']);
  });

  it('refuses headers and payloads over the limits and headers that are no JSON object', () => {
    const prefix = (headerBytes: number, payloadBytes: number, rest = ''): Buffer => {
      const bytes = Buffer.alloc(8);
      bytes.writeUInt32BE(headerBytes, 0);
      bytes.writeUInt32BE(payloadBytes, 4);
      return Buffer.concat([bytes, Buffer.from(rest)]);
    };
    for (const bytes of [
      prefix(maxHeaderBytes + 1, 0),
      prefix(2, maxPayloadBytes + 1),
      prefix(0, 0),
      prefix(3, 0, '[1]'),
      prefix(4, 0, 'null'),
      prefix(4, 0, '{{{{'),
      prefix(10, 0, '{"type":1}'),
    ]) {
      assert.throws(
        () => collect().parser.push(bytes),
        (error) => isLannerError(error) && error.code === 'bad_request',
      );
    }
  });

  it('reports the sink that is full', () => {
    const sink = { write: () => false, whenDrained: () => Promise.resolve(), end: () => {} };
    const parser = new FrameParser({ onFrame: () => sink });
    assert.equal(parser.push(encodeFrameHead({ type: 'result' }, 3)), undefined);
    assert.equal(parser.push(Buffer.from('ab')), sink);
  });
});

describe('encodeFrameHead', () => {
  it('refuses what no peer would read', () => {
    const isTooLarge = (error: unknown): boolean => isLannerError(error) && error.code === 'payload_too_large';
    assert.throws(() => encodeFrameHead({ type: 'start', env: { A: 'x'.repeat(maxHeaderBytes) } }), isTooLarge);
    assert.throws(() => encodeFrameHead({ type: 'start' }, maxPayloadBytes + 1), isTooLarge);
  });
});
