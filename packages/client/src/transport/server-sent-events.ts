import { ClientError, ConnectionError, ServerError } from '../errors/client-error.ts';

import { chunksOf } from './guard-body.ts';

/** One event of a `text/event-stream`. */
export interface ServerSentEvent {
  /** `message` unless the server named it. */
  event: string;
  data: string;
}

/** Longest line taken from a server before the stream is given up. */
const longestLine = 64 * 1024 * 1024;

/** The events of a response, as they arrive. Comments are skipped; leaving the loop closes the connection. */
export async function* readServerSentEvents(
  response: Response,
  signal?: AbortSignal,
): AsyncGenerator<ServerSentEvent, void, undefined> {
  let event = 'message';
  let data: string[] = [];
  try {
    for await (const line of readLines(response)) {
      if (line === '') {
        if (data.length > 0) yield { event, data: data.join('\n') };
        event = 'message';
        data = [];
        continue;
      }
      if (line.startsWith(':')) continue;
      const colon = line.indexOf(':');
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'data') data.push(value);
      else if (field === 'event') event = value;
    }
  } catch (error) {
    if (error instanceof ClientError) throw error;
    if (signal?.aborted) throw new ConnectionError('cancelled', 'The call was cancelled.', { cause: signal.reason });
    throw new ConnectionError('connection_lost', 'The stream of events broke.', {
      cause: error,
      advice: 'Call again.',
    });
  }
}

/** The JSON that an event carries. */
export function parseEvent(event: ServerSentEvent): unknown {
  try {
    return JSON.parse(event.data) as unknown;
  } catch (error) {
    throw new ServerError('unexpected_answer', 'An event of the stream is not JSON.', {
      cause: error,
      details: { data: event.data.slice(0, 1000) },
    });
  }
}

async function* readLines(response: Response): AsyncGenerator<string, void, undefined> {
  if (response.body === null) return;
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunksOf(response.body)) {
    rest += decoder.decode(chunk, { stream: true });
    if (rest.length > longestLine) throw new Error('a line of the stream is too long');
    // A lone \r at the end may be half of \r\n: it waits for the next chunk.
    const parts = rest.split(/\r\n|\n|\r(?!$)/);
    rest = parts.pop() ?? '';
    yield* parts;
  }
  rest += decoder.decode();
  if (rest !== '') yield rest.replace(/\r$/, '');
}
