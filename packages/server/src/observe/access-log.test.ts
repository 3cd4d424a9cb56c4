import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { describe, it } from 'node:test';
import { createAccessLog, type AccessRecord } from './access-log.ts';
import { createLogger } from './logger.ts';

const aRecord: AccessRecord = {
  ...{ requestId: 'r', role: 'queue', method: 'GET', protocol: '1.1', status: 202 },
  ...{ requestBytes: 0, responseBytes: 0, totalMs: 1 },
};

describe('the access log', () => {
  it('counts every call and writes a line for those that say something', () => {
    const lines: string[] = [];
    const sink = new Writable({ write: (chunk: Buffer, _, done) => (lines.push(String(chunk)), done()) });
    let counted = 0;
    const write = createAccessLog(createLogger({ destination: sink }), () => (counted += 1));
    write(aRecord, false);
    write(aRecord, false, true);
    write({ ...aRecord, status: 500 }, true, true);
    assert.equal(counted, 3);
    assert.deepEqual(
      lines.map((line) => (JSON.parse(line) as { level: string }).level),
      ['info', 'error'],
    );
  });
});
