import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { describe, it } from 'node:test';
import { isLannerError } from '@lanner/protocol';
import fc from 'fast-check';
import { isForbiddenTarget } from './private-address.ts';
import { readWebhookUrl, receiverOf } from './webhook-url.ts';

const isBadRequest = (error: unknown): boolean => isLannerError(error) && error.code === 'bad_request';

describe('the URL of a webhook', () => {
  it('is http or https, of a bounded length, and comes out in its normal form', () => {
    assert.equal(readWebhookUrl('https://Hook.Example/a?b=%20c#d', false), 'https://hook.example/a?b=%20c');
    assert.equal(readWebhookUrl('http://hook.example:80', false), 'http://hook.example/');
    for (const text of [
      'ftp://hook.example/',
      'hook.example',
      '',
      'file:///etc/passwd',
      'https://%E0%A4%A:x@hook.example/',
      `https://a.b/${'x'.repeat(5000)}`,
    ]) {
      assert.throws(() => readWebhookUrl(text, true), isBadRequest, text);
    }
  });

  it('names no address inside the network unless that is allowed, in whatever way it is written', () => {
    const inside = [
      'http://127.0.0.1/',
      'http://127.1:8080/',
      'http://2130706433/',
      'http://0x7f000001/',
      'http://017700000001/',
      'http://0/',
      'http://10.2.3.4/',
      'http://172.16.0.1/',
      'http://192.168.1.1/',
      'http://169.254.169.254/latest/meta-data/',
      'http://100.64.0.1/',
      'http://[::1]/',
      'http://[::]/',
      'http://[::ffff:127.0.0.1]/',
      'http://[::ffff:a9fe:a9fe]/',
      'http://[64:ff9b::10.0.0.1]/',
      'http://[fe80::1]/',
      'http://[fd12:3456::1]/',
      'http://localhost:3000/',
      'http://LOCALHOST./',
      'http://app.localhost/',
      'https://user:password@127.0.0.1/',
    ];
    for (const text of inside) {
      assert.throws(() => readWebhookUrl(text, false), isBadRequest, text);
      assert.ok(readWebhookUrl(text, true));
    }
    for (const text of [
      'http://8.8.8.8/',
      'http://[2606:4700::1111]/',
      'http://localhost.example/',
      'http://[64:ff9b::808:808]/',
    ]) {
      assert.ok(readWebhookUrl(text, false));
    }
  });

  it('never names the address of a runner, where nobody asks for a key', () => {
    for (const host of [
      '127.83.4.9',
      '127.32.0.1',
      '127.223.255.254',
      '2136147977',
      '[::ffff:127.83.4.9]',
      '[64:ff9b::7f53:409]',
    ]) {
      assert.throws(() => readWebhookUrl(`http://${host}:8080/`, true), isBadRequest, host);
    }
    for (const host of ['127.0.0.1', '127.0.1.1', '127.31.255.255', '127.224.0.1'])
      assert.ok(readWebhookUrl(`http://${host}/`, true));
  });

  it('refuses whatever makes no sense, and fails in no other way', () => {
    const pieces = [
      'http',
      '://',
      '[',
      ']',
      '::',
      '%',
      '@',
      '127',
      '.',
      '\u0000',
      ' ',
      'ß',
      'xn--',
      ':',
      '65536',
      '/',
      '?',
      '#',
      'é',
    ];
    for (let round = 0; round < 3_000; round += 1) {
      const text = Array.from({ length: 8 }, () => pieces[Math.floor(Math.random() * pieces.length)]).join('');
      for (const allowPrivate of [true, false]) {
        try {
          receiverOf(readWebhookUrl(`http://${text}`, allowPrivate));
        } catch (error) {
          assert.ok(isBadRequest(error), JSON.stringify(text));
        }
      }
    }
  });

  it('belongs to a receiver: host and port', () => {
    assert.equal(receiverOf('https://hook.example/a'), 'hook.example:443');
    assert.equal(receiverOf('http://[::1]/a'), '[::1]:80');
    assert.equal(receiverOf('http://hook.example:8080/'), 'hook.example:8080');
  });
});

describe('addresses that are no place of the public Internet', () => {
  it('are known in every family', () => {
    for (const address of [
      '0.0.0.0',
      '198.18.0.1',
      '224.0.0.1',
      '255.255.255.255',
      '::7f00:1',
      '2002:7f00:1::',
      'ff02::1',
    ]) {
      assert.ok(isForbiddenTarget(address, false), address);
    }
    for (const address of ['1.1.1.1', '172.32.0.1', '100.128.0.1', '::ffff:8.8.8.8', '2001:4860:4860::8888']) {
      assert.ok(!isForbiddenTarget(address, false), address);
    }
  });

  it('is refused or the address of a receiver outside, whatever comes', () => {
    const host = fc.oneof(
      fc.ipV4().map(String),
      fc.ipV4Extended().map(String),
      fc.ipV6().map((address) => `[${address}]`),
      fc.domain(),
      fc.constantFrom(
        'localhost',
        'LOCALHOST.',
        'a.localhost',
        '0',
        '127.1',
        '0x7f.1',
        '[::ffff:7f00:1]',
        '①②⑦.0.0.1',
        '127。0。0。1',
      ),
      fc.string(),
    );
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.webUrl({ withQueryParameters: true, withFragments: true }),
      fc
        .tuple(fc.constantFrom('http://', 'https://', 'HTTP:', 'http:\\\\', 'ws://', 'http://u:p@'), host)
        .map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(text, fc.boolean(), (sent, allowPrivate) => {
        let url: string;
        try {
          url = readWebhookUrl(sent, allowPrivate);
        } catch (error) {
          return assert.ok(isBadRequest(error), String(error));
        }
        // What is kept is read the same way again when it is delivered.
        assert.equal(readWebhookUrl(url, allowPrivate), url);
        assert.match(receiverOf(url), /^\S+:\d+$/);
        const hostname = new URL(url).hostname.replace(/^\[|\]$/g, '');
        if (isIP(hostname) !== 0) assert.ok(!isForbiddenTarget(hostname, allowPrivate), hostname);
        if (!allowPrivate) assert.doesNotMatch(hostname, /localhost\.?$|^127\.|^10\./i);
      }),
    );
  });
});
