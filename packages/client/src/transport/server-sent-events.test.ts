import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readServerSentEvents, type ServerSentEvent } from './server-sent-events.ts';

async function read(...chunks: (string | Uint8Array)[]): Promise<ServerSentEvent[]> {
  const bytes = chunks.map((chunk) => (typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk));
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of bytes) controller.enqueue(chunk);
      controller.close();
    },
  });
  const events: ServerSentEvent[] = [];
  for await (const event of readServerSentEvents(new Response(body))) events.push(event);
  return events;
}

test('events have names, several lines and any line end; comments are nothing', async () => {
  assert.deepEqual(
    await read(': hello\n\ndata: 1\n\nevent: error\r\ndata: a\r\ndata:b\r\n\r\n', 'data: 3\r\rdata\n\n'),
    [
      { event: 'message', data: '1' },
      { event: 'error', data: 'a\nb' },
      { event: 'message', data: '3' },
      { event: 'message', data: '' },
    ],
  );
});

test('characters and line ends may be cut anywhere', async () => {
  const bytes = new TextEncoder().encode('data: "ä😀"\r\n\r\ndata: 2\r\n\r\n');
  for (let at = 1; at < bytes.length; at++) {
    const events = await read(bytes.slice(0, at), bytes.slice(at));
    assert.deepEqual(
      events.map((event) => event.data),
      ['"ä😀"', '2'],
      `cut at ${at}`,
    );
  }
});

test('an event without end is no event', async () => {
  assert.deepEqual(await read('data: 1\n\ndata: 2\n'), [{ event: 'message', data: '1' }]);
});
