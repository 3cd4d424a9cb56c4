import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { beforeEach, describe, it } from 'node:test';
import { createVirtualClock, type VirtualClock } from '../../lib/virtual-clock.ts';
import type { Logger } from '../../observe/logger.ts';
import type { AnyResponse } from '../caller.ts';
import type { StatusBody, StatusLog } from './status-body.ts';
import { StatusStream } from './status-stream.ts';
import { StreamTicker } from './status-streams.ts';

class FakeResponse extends EventEmitter {
  text = '';
  isEnded = false;
  isFull = false;
  writeHead(): void {}
  write(text: string): boolean {
    this.text += text;
    return !this.isFull;
  }
  end(): void {
    this.isEnded = true;
  }
}

const atMs = Date.UTC(2026, 0, 1);
const line = (index: number, afterMs = index): StatusLog => ({
  message: `line ${index}`,
  timestamp: new Date(atMs + afterMs).toISOString().replace('Z', '+00:00'),
  level: 'INFO',
  source: 'USER',
});

describe('a status stream', () => {
  let clock: VirtualClock;
  let response: FakeResponse;
  let status: StatusBody['status'];
  let printed: StatusLog[];
  /** As the log of a runner: the latest of what is asked for. */
  let most: number;
  let change: () => void;

  beforeEach(async () => {
    clock = createVirtualClock();
    response = new FakeResponse();
    status = 'IN_PROGRESS';
    printed = [];
    most = 100;
    new StatusStream({
      response: response as unknown as AnyResponse,
      requestId: 'id',
      read: (sinceMs = 0) =>
        Promise.resolve({
          ...{ status, request_id: 'id', response_url: '', status_url: '', cancel_url: '' },
          logs: printed.filter(({ timestamp }) => Date.parse(timestamp) >= sinceMs).slice(-most),
        }),
      observe(listener) {
        change = listener;
        return () => {};
      },
      isOver: () => false,
      ticker: new StreamTicker(clock),
      clock,
      log: {} as Logger,
    }).start();
    await clock.settle();
  });

  const events = (): StatusBody[] =>
    [...response.text.matchAll(/^data: (.*)$/gm)].map(([, text]) => JSON.parse(text!) as StatusBody);
  const told = (): string[] => events().flatMap(({ logs }) => (logs ?? []).map(({ message }) => message));
  const tell = async (...lines: StatusLog[]): Promise<void> => {
    printed.push(...lines);
    change();
    await clock.advance(100);
  };

  it('tells every line once, however many there are', async () => {
    for (let index = 0; index < 1_000; index += 40) {
      await tell(...Array.from({ length: 40 }, (_each, offset) => line(index + offset, (index + offset) * 100)));
    }
    status = 'COMPLETED';
    await tell(line(1_000, 100_000));
    assert.deepEqual(
      told(),
      Array.from({ length: 1_001 }, (_each, index) => `line ${index}`),
    );
    assert.equal(response.isEnded, true);
  });

  it('tells equal lines as often as they were printed, and one that comes late', async () => {
    await tell(line(1), line(1));
    await tell(line(1), line(2));
    await tell(line(0));
    await tell(line(3, 5_000));
    await tell(line(4, 3_500));
    await tell(line(5, 5_001));
    assert.deepEqual(
      told(),
      [1, 1, 1, 2, 0, 3, 4, 5].map((index) => `line ${index}`),
    );
  });

  it('waits for a slow reader, and then tells all that is new at once', async () => {
    response.isFull = true;
    await tell(line(1));
    for (let index = 2; index < 6; index += 1) await tell(line(index));
    await clock.advance(60_000);
    status = 'COMPLETED';
    await tell(line(6));
    assert.deepEqual(told(), ['line 1']);
    assert.equal(response.isEnded, false);
    response.isFull = false;
    response.emit('drain');
    await clock.settle();
    assert.deepEqual(
      events().map(({ status: each, logs }) => [each, logs!.length]),
      [
        ['IN_PROGRESS', 0],
        ['IN_PROGRESS', 1],
        ['COMPLETED', 5],
      ],
    );
    assert.equal(response.isEnded, true);
  });

  it('has no character that could be cut in two', async () => {
    await tell({ ...line(1), message: 'grüße 🚀' });
    assert.equal(Buffer.byteLength(response.text), response.text.length);
    assert.deepEqual(told(), ['grüße 🚀']);
  });

  it('tells what the next runner prints, when the first one’s lines are gone', async () => {
    await tell(line(1), line(2), line(3));
    printed = [];
    status = 'IN_QUEUE';
    await tell();
    status = 'IN_PROGRESS';
    await tell(line(4, 10_000));
    assert.deepEqual(told(), ['line 1', 'line 2', 'line 3', 'line 4']);
    assert.deepEqual(
      events().map((event) => event.status),
      ['IN_PROGRESS', 'IN_PROGRESS', 'IN_QUEUE', 'IN_PROGRESS'],
    );
  });
});
