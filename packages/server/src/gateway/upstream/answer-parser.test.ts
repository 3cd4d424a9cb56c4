import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AnswerParser, BadAnswer } from './answer-parser.ts';
import type { UpstreamHeaders } from './upstream-transport.ts';

interface Answer {
  status: number;
  reason: string;
  headers: UpstreamHeaders;
  body: string;
  /** Null while the answer is not over. */
  trailers: UpstreamHeaders | null;
}

function createReader(method = 'GET', maxHeadBytes = 1000) {
  const answer: Answer = { status: 0, reason: '', headers: {}, body: '', trailers: null };
  const parser = new AnswerParser(maxHeadBytes);
  parser.expect(method, {
    onHead: (status, reason, headers) => Object.assign(answer, { status, reason, headers }),
    onData: (chunk) => (answer.body += chunk.toString('latin1')),
    onEnd: (trailers) => (answer.trailers = trailers),
  });
  return { parser, answer };
}

/** The bytes arrive in pieces of one size, each in a buffer that is written over afterwards. */
function read(text: string, options: { method?: string; pieceBytes?: number; closes?: boolean } = {}) {
  const { method = 'GET', pieceBytes = text.length, closes = false } = options;
  const { parser, answer } = createReader(method);
  for (let at = 0; at < text.length; at += pieceBytes) {
    const piece = Buffer.from(text.slice(at, at + pieceBytes), 'latin1');
    parser.write(piece);
    piece.fill(0x58);
  }
  const isWhole = closes ? parser.end() : null;
  return { answer, isWhole, keepsConnection: parser.keepsConnection };
}

const answers: { what: string; text: string; method?: string; closes?: boolean; expected: Answer; kept: boolean }[] = [
  {
    what: 'of known length',
    text: 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nx-twice: a\r\nX-Twice:  b \t\r\ncontent-length: 5\r\n\r\nhello',
    expected: {
      ...{ status: 200, reason: 'OK', body: 'hello', trailers: {} },
      headers: { 'content-type': 'text/plain', 'x-twice': ['a', 'b'], 'content-length': '5' },
    },
    kept: true,
  },
  {
    what: 'in chunks, with extensions and trailers',
    text: 'HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n5;a="b"\r\nhello\r\n00a \r\n, world\r\n!\r\n0\r\nx-sum: 1\r\nx-end: 2\r\n\r\n',
    expected: {
      ...{ status: 200, reason: 'OK', headers: { 'transfer-encoding': 'Chunked' }, body: 'hello, world\r\n!' },
      trailers: { 'x-sum': '1', 'x-end': '2' },
    },
    kept: true,
  },
  {
    what: 'that ends with the connection',
    text: 'HTTP/1.1 200\r\nx-bytes: \xe4\xa0\r\n\r\nall of it\r\n',
    closes: true,
    expected: { status: 200, reason: '', headers: { 'x-bytes': '\xe4\xa0' }, body: 'all of it\r\n', trailers: {} },
    kept: false,
  },
  {
    what: 'behind interim ones',
    text: 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n',
    expected: { status: 204, reason: 'No Content', headers: {}, body: '', trailers: {} },
    kept: true,
  },
  {
    what: 'to HEAD',
    method: 'HEAD',
    text: 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n',
    expected: { status: 200, reason: 'OK', headers: { 'content-length': '5' }, body: '', trailers: {} },
    kept: true,
  },
  {
    what: 'of HTTP/1.0',
    text: 'HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi',
    expected: { status: 200, reason: 'OK', headers: { 'content-length': '2' }, body: 'hi', trailers: {} },
    kept: false,
  },
  {
    what: 'that announces the end of the connection',
    text: 'HTTP/1.1 304 Not Modified\r\nconnection: x-a, Close\r\ncontent-length: 99\r\n\r\n',
    expected: {
      ...{ status: 304, reason: 'Not Modified', body: '', trailers: {} },
      headers: { connection: 'x-a, Close', 'content-length': '99' },
    },
    kept: false,
  },
];

describe('an answer', () => {
  for (const { what, text, method = 'GET', closes = false, expected, kept } of answers) {
    it(`${what} is the same however its bytes arrive`, () => {
      for (let pieceBytes = 1; pieceBytes <= text.length; pieceBytes += 1) {
        const { answer, isWhole, keepsConnection } = read(text, { method, pieceBytes, closes });
        assert.deepEqual(answer, expected, `pieces of ${pieceBytes}`);
        assert.equal(keepsConnection, kept);
        assert.equal(isWhole, closes ? true : null);
      }
    });
  }

  it('is told of as it comes, not when it is over', () => {
    const { parser, answer } = createReader();
    parser.write(Buffer.from('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n'));
    assert.equal(answer.status, 200);
    parser.write(Buffer.from('ff\r\nfirst'));
    assert.equal(answer.body, 'first');
    assert.equal(answer.trailers, null);
  });

  it('is cut short when the connection ends in its head, its length or its chunks', () => {
    for (const text of [
      '',
      'HTTP/1.1 200 OK\r\ncontent',
      'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n',
    ]) {
      const { answer, isWhole } = read(text, { closes: true, pieceBytes: 7 });
      assert.equal(isWhole, false, text);
      assert.equal(answer.trailers, null);
    }
  });

  it('can be stopped from within everything that is told of it', () => {
    const text = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n';
    for (const stopAt of ['head', 'data'] as const) {
      const told: string[] = [];
      const parser = new AnswerParser(1000);
      const tell = (what: string): void => {
        told.push(what);
        if (what === stopAt) parser.stop();
      };
      parser.expect('GET', { onHead: () => tell('head'), onData: () => tell('data'), onEnd: () => tell('end') });
      parser.write(Buffer.from(text));
      assert.deepEqual(told, stopAt === 'head' ? ['head'] : ['head', 'data']);
    }
  });
});

describe('what is no answer', () => {
  const sized = 'HTTP/1.1 200 OK\r\ncontent-length: ';
  const inChunks = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n';
  for (const [what, text] of [
    ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['another version', 'HTTP/2 200 OK\r\n\r\n'],
    ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
    ['a status below 100', 'HTTP/1.1 020 OK\r\n\r\n'],
    ['a change of protocol', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n'],
    ['lines that end without carriage return', 'HTTP/1.1 200 OK\nx: y\n\n'],
    ['one such line', 'HTTP/1.1 200 OK\r\nx: y\nz: w\r\n\r\n'],
    ['a lone carriage return in a value', 'HTTP/1.1 200 OK\r\nx: a\rb\r\n\r\n'],
    ['a zero byte in a value', 'HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n'],
    ['a control character in the reason', 'HTTP/1.1 200 O\x01K\r\n\r\n'],
    ['a folded line', 'HTTP/1.1 200 OK\r\nx: a\r\n b\r\n\r\n'],
    ['a space before the colon', 'HTTP/1.1 200 OK\r\ncontent-length : 5\r\n\r\n'],
    ['a header without a name', 'HTTP/1.1 200 OK\r\n: 5\r\n\r\n'],
    ['a header without a colon', 'HTTP/1.1 200 OK\r\nhello\r\n\r\n'],
    ['a negative length', `${sized}-1\r\n\r\n`],
    ['a length with a sign', `${sized}+1\r\n\r\na`],
    ['a length in hex', `${sized}0x1\r\n\r\na`],
    ['an empty length', `${sized}\r\n\r\n`],
    ['a length that no number holds', `${sized}99999999999999999999\r\n\r\n`],
    ['the same length twice', `${sized}1\r\ncontent-length: 1\r\n\r\na`],
    ['a list of lengths', `${sized}1, 1\r\n\r\na`],
    ['a length beside chunks', `${sized}5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['another transfer coding', 'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n'],
    ['the coding twice', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n'],
    ['a chunk without a size', `${inChunks}\r\nhello`],
    ['a chunk with a sign', `${inChunks}+5\r\nhello\r\n`],
    ['a chunk larger than numbers', `${inChunks}fffffffffffff\r\n`],
    ['a chunk longer than it says', `${inChunks}4\r\nhello\r\n`],
    ['a chunk line that ends without carriage return', `${inChunks}5\nhello\r\n`],
    ['an endless chunk extension', `${inChunks}5;${'x'.repeat(2000)}`],
    ['a trailer that is none', `${inChunks}0\r\nhello\r\n\r\n`],
    ['a control character in a chunk extension', `${inChunks}5;a=\0\r\nhello\r\n`],
    ['a trailer that speaks of the framing', `${inChunks}0\r\ncontent-length: 5\r\n\r\n`],
    ['endless trailers', `${inChunks}0\r\n${'x: y\r\n'.repeat(300)}`],
    ['an endless head', `HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(300)}`],
    ['a head that is too long, all at once', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(1000)}\r\n\r\n`],
    ['bytes behind the answer', `${sized}2\r\n\r\nhi!`],
    ['a second answer', `${sized}2\r\n\r\nhi${sized}2\r\n\r\nho`],
  ] as const) {
    it(`${what} is refused, in one piece and byte by byte`, () => {
      assert.throws(() => read(text), BadAnswer);
      assert.throws(() => read(text, { pieceBytes: 1 }), BadAnswer);
    });
  }

  it('is refused when no request was sent', () => {
    assert.throws(() => new AnswerParser(1000).write(Buffer.from('HTTP/1.1 408 Request Timeout\r\n\r\n')), BadAnswer);
  });

  it('does not make a header of its prototype', () => {
    const { answer } = read('HTTP/1.1 200 OK\r\n__proto__: x\r\ncontent-length: 0\r\n\r\n');
    assert.equal(Object.getPrototypeOf(answer.headers), Object.prototype);
    assert.equal(answer.headers['content-length'], '0');
  });
});
