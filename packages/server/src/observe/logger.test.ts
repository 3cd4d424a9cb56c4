import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { describe, it } from 'node:test';
import { createLogger, flushLogger } from './logger.ts';

function createSink(): { sink: Writable; lines: string[] } {
  const lines: string[] = [];
  return { lines, sink: new Writable({ write: (chunk: Buffer, _, done) => (lines.push(String(chunk)), done()) }) };
}

describe('the log', () => {
  it('is one JSON object a line with level name, time and message', () => {
    const { sink, lines } = createSink();
    createLogger({ destination: sink }).child({ component: 'x' }).info({ runnerId: 'r1' }, 'runner started');
    const { time, ...entry } = JSON.parse(lines[0]!) as Record<string, string>;
    assert.deepEqual(entry, { level: 'info', component: 'x', runnerId: 'r1', msg: 'runner started' });
    assert.match(time!, /^\d{4}-\d\d-\d\dT.*Z$/);
  });

  it('hides what is named like a secret', () => {
    const { sink, lines } = createSink();
    const log = createLogger({ destination: sink });
    log.warn(
      {
        authorization: 'Key a:hush',
        headers: { authorization: 'hush', cookie: 'hush' },
        request: { env: { A: 'hush' } },
      },
      'x',
    );
    log.child({ token: 'hush' }).warn('x');
    assert.equal(lines.length, 2);
    assert.equal(lines.join('').includes('hush'), false);
  });

  it('keeps quiet below its level and can be flushed', async () => {
    const { sink, lines } = createSink();
    const log = createLogger({ level: 'warn', destination: sink });
    log.info({}, 'x');
    await flushLogger(log);
    assert.deepEqual(lines, []);
  });
});
