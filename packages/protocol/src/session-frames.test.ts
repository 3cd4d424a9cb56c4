import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeSessionFrame, SessionFrameParser } from './session-frames.ts';

describe('frames of a session', () => {
  it('come out as they went in, however they are cut', () => {
    const order = { command: ['sh', '-c', 'true'], tty: false };
    const stream = Buffer.concat([
      encodeSessionFrame('open', order),
      encodeSessionFrame('input', Buffer.from([0, 255, 10])),
      encodeSessionFrame('endOfInput'),
    ]);
    for (const step of [1, 3, stream.length]) {
      const parser = new SessionFrameParser();
      const frames = [];
      for (let at = 0; at < stream.length; at += step) frames.push(...parser.feed(stream.subarray(at, at + step)));
      assert.deepEqual(
        frames.map(({ kind }) => kind),
        ['open', 'input', 'endOfInput'],
      );
      assert.deepEqual(JSON.parse(frames[0]!.payload.toString()), order);
      assert.deepEqual([...frames[1]!.payload], [0, 255, 10]);
    }
  });

  it('are refused when they are none, or say they are longer than any', () => {
    assert.throws(() => new SessionFrameParser().feed(Buffer.from([99, 0, 0, 0, 0])), RangeError);
    assert.throws(() => new SessionFrameParser().feed(Buffer.from([1, 255, 0, 0, 0])), RangeError);
  });
});
