import assert from 'node:assert/strict';
import { it } from 'node:test';
import { pino } from 'pino';
import { createVirtualClock } from '../lib/virtual-clock.ts';
import { createSilenceWatch } from './silence-watch.ts';

it('a silent supervisor is told about once a minute, given up after the limit, and forgiven when it speaks', async () => {
  const clock = createVirtualClock();
  const told: string[] = [];
  const log = pino({ level: 'error' }, { write: (line: string) => void told.push(line) });
  const watch = createSilenceWatch({ clock, log, limitMs: 150_000 });
  for (let elapsedMs = 0; elapsedMs < 150_000; elapsedMs += 10_000) {
    assert.equal(watch.askedInVain(4242), false);
    await clock.advance(10_000);
  }
  assert.equal(told.length, 3);
  assert.match(told[0]!, /does not answer\..*kill -9 4242/);
  assert.equal(watch.askedInVain(4242), true);
  watch.heard();
  assert.equal(watch.askedInVain(4242), false);
});
