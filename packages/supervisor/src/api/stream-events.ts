import type { ServerResponse } from 'node:http';
import type { Clock, Timer } from '@lanner/protocol';
import type { EventLog } from '../events/event-log.ts';
import { openNdjson } from './ndjson.ts';

const heartbeatMs = 5000;
/** Events per write: enough to be quick, few enough that a line of 64 KiB each stays small in memory. */
const batchEvents = 64;

/**
 * Sends events after `after` for ever, a heartbeat whenever nothing happened for 5 s. Returns when the caller went away
 * or the signal is aborted.
 */
export async function streamEvents(
  response: ServerResponse,
  events: EventLog,
  after: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const stream = openNdjson(response);
  const stop = AbortSignal.any([signal, stream.signal]);
  const removeReader = events.addReader();
  let seq = after;
  let sentAtMs = clock.monotonicMs();
  let timer: Timer;
  const beat = (): void => {
    const silentMs = clock.monotonicMs() - sentAtMs;
    if (silentMs >= heartbeatMs) {
      sentAtMs = clock.monotonicMs();
      void stream.write([{ seq: events.lastSeq, atMs: clock.nowMs(), type: 'heartbeat' }]);
    }
    timer = clock.setTimer(silentMs >= heartbeatMs ? heartbeatMs : heartbeatMs - silentMs, beat);
  };
  timer = clock.setTimer(heartbeatMs, beat);
  try {
    while (!stream.signal.aborted) {
      const batch = events.readAfter(seq, batchEvents);
      if (batch.length > 0) {
        sentAtMs = clock.monotonicMs();
        await stream.write(batch);
        seq = batch.at(-1)!.seq;
        continue;
      }
      if (stop.aborted) break;
      await events.waitAfter(events.lastSeq, stop);
    }
  } finally {
    timer.cancel();
    removeReader();
    stream.end();
  }
}
