import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Code, ConnectError } from '@connectrpc/connect';
import { errorCatalogue, LannerError, type ErrorCode } from '@lanner/protocol';
import { boundStatusText, toConnectError } from './rpc-errors.ts';

function recordingLog() {
  const lines: { fields: Record<string, unknown>; message: string }[] = [];
  const record = (fields: object, message: string) => void lines.push({ fields: fields as never, message });
  return { lines, error: record, warn: record, info: record };
}

describe('toConnectError', () => {
  it('keeps message and code of every catalogued error', () => {
    for (const code of Object.keys(errorCatalogue) as ErrorCode[]) {
      if (code === 'internal_error') continue;
      const error = toConnectError(new LannerError(code, 'What was seen, and what to do.'), recordingLog());
      assert.equal(error.rawMessage, 'What was seen, and what to do.');
      const expected = errorCatalogue[code].rpcCode.replaceAll('_', '');
      assert.equal(Code[error.code]?.toLowerCase(), expected, code);
    }
  });

  it('tells a caller of our own defect only an id, which is in the log', () => {
    const log = recordingLog();
    const error = toConnectError(new TypeError('secret detail'), log);
    assert.equal(error.code, Code.Internal);
    assert.doesNotMatch(error.rawMessage, /secret detail/);
    const [line] = log.lines;
    assert.ok(line);
    assert.ok(error.rawMessage.includes(String(line.fields['errorId'])));
    assert.equal((line.fields['err'] as Error).message, 'secret detail');
  });

  it('leaves what is a status already', () => {
    const status = new ConnectError('x', Code.NotFound);
    assert.equal(toConnectError(status, recordingLog()), status);
  });
});

describe('boundStatusText', () => {
  it('leaves short texts alone', () => {
    assert.equal(boundStatusText('two\nlines – ü'), 'two\nlines – ü');
  });

  for (const [name, text] of [
    ['spaces', `begin ${' '.repeat(20_000)}end.`],
    ['emoji', `begin ${'🦆'.repeat(5_000)}end.`],
  ] as const) {
    it(`keeps both ends of a long text of ${name} and fits in a header`, () => {
      const bounded = boundStatusText(text);
      assert.ok(encodeURIComponent(bounded).length <= 6000);
      assert.ok(bounded.startsWith('begin '));
      assert.ok(bounded.endsWith('end.'));
    });
  }

  it('survives half a surrogate pair, which cannot be encoded', () => {
    assert.doesNotThrow(() => encodeURIComponent(boundStatusText('x\ud83e')));
  });
});
