import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeFrames, encodeFrame, type Frame } from './frames.ts';

async function decode(chunks: Buffer[]): Promise<Frame[]> {
  const frames: Frame[] = [];
  async function* source(): AsyncGenerator<Buffer> {
    yield* chunks;
  }
  for await (const frame of decodeFrames(source())) frames.push(frame);
  return frames;
}

test('frames survive every way to cut their bytes', async () => {
  const bytes = Buffer.concat([
    encodeFrame({ type: 'one', text: 'ä' }, new Uint8Array([1, 2, 3])),
    encodeFrame({ type: 'two' }),
    encodeFrame({ type: 'three' }, new Uint8Array(300).fill(9)),
  ]);
  for (let size = 1; size <= bytes.length; size += size < 40 ? 1 : 37) {
    const chunks: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
    const frames = await decode(chunks);
    assert.deepEqual(
      frames.map(({ header, payload }) => [header.type, payload.length]),
      [
        ['one', 3],
        ['two', 0],
        ['three', 300],
      ],
    );
    assert.equal(frames[0]?.header['text'], 'ä');
    assert.deepEqual([...frames[0]!.payload], [1, 2, 3]);
  }
});

test('a cut off frame is dropped and an impossible one refused', async () => {
  assert.deepEqual(await decode([encodeFrame({ type: 'x' }).subarray(0, 9)]), []);
  await assert.rejects(decode([Buffer.alloc(8, 0xff)]), /too large/);
});
