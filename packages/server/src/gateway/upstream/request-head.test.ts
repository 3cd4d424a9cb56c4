import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { BadRequest, toRequestHead } from './request-head.ts';
import type { UpstreamRequest } from './upstream-transport.ts';

const runner = { runnerId: 'r', host: '127.0.0.1', port: 8080 };
const plain: UpstreamRequest = { method: 'POST', path: '/x?y=1', headers: ['host', 'app.example'], body: null };
const toText = (request: Partial<UpstreamRequest>, host = runner.host): string =>
  toRequestHead({ ...runner, host }, { ...plain, ...request }).text;

describe('the head of a request', () => {
  it('has the headers as they are given, in their order, and the framing that its body needs', () => {
    const headers = ['host', 'app.example', 'X-Twice', 'a', 'x-twice', '\xe4'];
    assert.equal(
      toText({ headers, body: Buffer.from('body') }),
      'POST /x?y=1 HTTP/1.1\r\nhost: app.example\r\nX-Twice: a\r\nx-twice: \xe4\r\ncontent-length: 4\r\nconnection: keep-alive\r\n\r\n',
    );
  });

  it('names the runner when no host is given', () => {
    assert.match(toText({ headers: [] }), /\r\nhost: 127\.0\.0\.1:8080\r\n/);
    assert.match(toText({ headers: [] }, '::1'), /\r\nhost: \[::1\]:8080\r\n/);
  });

  it('says that there is no body where a server would wait for one', () => {
    assert.match(toText({ method: 'PUT' }), /\r\ncontent-length: 0\r\n/);
    assert.doesNotMatch(toText({ method: 'GET' }), /content-length/);
    assert.equal(toText({ headers: ['Content-Length', '0'] }).match(/content-length/gi)!.length, 1);
  });

  it('keeps the length of a stream when it has one, else sends chunks', () => {
    const body = Readable.from([]);
    const sized = toRequestHead(runner, { ...plain, headers: ['Content-Length', '7'], body });
    assert.deepEqual([sized.streamedBytes, /transfer-encoding/.test(sized.text)], [7, false]);
    const open = toRequestHead(runner, { ...plain, body });
    assert.deepEqual([open.streamedBytes, /transfer-encoding: chunked/.test(open.text)], [null, true]);
  });

  for (const [what, request] of [
    ['a line break in a value', { headers: ['x', 'a\r\nevil: 1'] }],
    ['a line break in a name', { headers: ['x\r\nevil', '1'] }],
    ['a character that one byte does not hold', { headers: ['x', '€'] }],
    ['a header without a name', { headers: ['', 'x'] }],
    ['a path with a space', { path: '/a HTTP/1.1' }],
    ['a path with a line break', { path: '/a\r\nx: y' }],
    ['a path that does not begin at the root', { path: 'http://elsewhere/' }],
    ['a method that is no token', { method: 'GET /x' }],
    ['a length that the body does not have', { headers: ['content-length', '3'], body: Buffer.from('four') }],
    ['a length without a body', { headers: ['content-length', '3'] }],
    ['two lengths', { headers: ['content-length', '4', 'Content-Length', '4'], body: Buffer.from('four') }],
    ['a length that is no number', { headers: ['content-length', '0x4'], body: Readable.from([]) }],
  ] as [string, Partial<UpstreamRequest>][]) {
    it(`is refused with ${what}`, () => {
      assert.throws(() => toText(request), BadRequest);
    });
  }
});
