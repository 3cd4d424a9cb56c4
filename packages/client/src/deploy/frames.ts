/** What the loader and its parent say to each other; see python/lanner_loader.py. */
export interface Frame {
  header: { type: string } & Record<string, unknown>;
  payload: Uint8Array;
}

const largestFrame = 2 ** 31 - 1;

/** Two big-endian lengths, a JSON header, a payload. */
export function encodeFrame(header: Record<string, unknown>, payload: Uint8Array = new Uint8Array()): Buffer {
  const text = Buffer.from(JSON.stringify(header));
  const frame = Buffer.allocUnsafe(8 + text.length + payload.length);
  frame.writeUInt32BE(text.length, 0);
  frame.writeUInt32BE(payload.length, 4);
  text.copy(frame, 8);
  frame.set(payload, 8 + text.length);
  return frame;
}

/** The frames of a byte stream, however it is cut. Ends with the stream; a rest that is no whole frame is dropped. */
export async function* decodeFrames(source: AsyncIterable<Buffer>): AsyncGenerator<Frame, void, undefined> {
  let chunks: Buffer[] = [];
  let size = 0;
  let needed = 8;
  for await (const chunk of source) {
    chunks.push(chunk);
    size += chunk.length;
    while (size >= needed) {
      const bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size);
      chunks = [bytes];
      const headerLength = bytes.readUInt32BE(0);
      const end = 8 + headerLength + bytes.readUInt32BE(4);
      if (end > largestFrame) throw new Error(`a frame of ${end} bytes is too large`);
      if (size < end) {
        needed = end;
        break;
      }
      const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerLength)) as Frame['header'];
      yield { header, payload: Uint8Array.prototype.slice.call(bytes, 8 + headerLength, end) };
      const rest = bytes.subarray(end);
      chunks = [rest];
      size = rest.length;
      needed = 8;
    }
  }
}
