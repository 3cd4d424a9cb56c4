/** Longest line that is read; a peer that sends a longer one is broken. */
const longestLineBytes = 16 * 1024 * 1024;

/**
 * Values of an NDJSON stream, as they arrive. Empty lines are skipped.
 * Throws RangeError for a line above 16 MiB and SyntaxError for one that is not JSON, also for a last line cut short.
 */
export async function* readJsonLines<T>(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<T> {
  let partial: Buffer[] = [];
  let partialBytes = 0;
  for await (const data of chunks) {
    const chunk = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    let from = 0;
    for (let end = chunk.indexOf(10, from); end !== -1; end = chunk.indexOf(10, from)) {
      const piece = chunk.subarray(from, end);
      const line = partial.length === 0 ? piece : Buffer.concat([...partial, piece]);
      partial = [];
      partialBytes = 0;
      from = end + 1;
      if (line.length > 0) yield JSON.parse(line.toString('utf8')) as T;
    }
    if (from === chunk.length) continue;
    partial.push(chunk.subarray(from));
    partialBytes += chunk.length - from;
    if (partialBytes > longestLineBytes) throw new RangeError('a line of an NDJSON stream is longer than 16 MiB');
  }
  if (partialBytes > 0) yield JSON.parse(Buffer.concat(partial).toString('utf8')) as T;
}
