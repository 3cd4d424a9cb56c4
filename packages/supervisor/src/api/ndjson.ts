import { once } from 'node:events';
import type { ServerResponse } from 'node:http';

/** A response of one JSON value per line. */
export interface NdjsonStream {
  /** Aborted when the caller went away. */
  readonly signal: AbortSignal;
  /** Writes lines in one go; resolves when the caller has taken enough of them, or went away. */
  write(values: readonly unknown[]): Promise<void>;
  end(): void;
}

/** Begins the response. */
export function openNdjson(response: ServerResponse): NdjsonStream {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  response.once('error', () => gone.abort());
  response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
  response.flushHeaders();
  return {
    signal: gone.signal,
    async write(values) {
      if (gone.signal.aborted || values.length === 0) return;
      const text = values.map((value) => `${JSON.stringify(value)}\n`).join('');
      if (response.write(text)) return;
      await once(response, 'drain', { signal: gone.signal }).catch(() => {});
    },
    end() {
      response.end();
    },
  };
}
