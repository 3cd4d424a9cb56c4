import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isLannerError } from '@lanner/protocol';
import fc from 'fast-check';
import { parseByteRange, sliceParts } from './byte-range.ts';
import { toContentType } from './content-type.ts';
import { toContentDisposition, toFileName } from './file-name.ts';
import { parseFileUrl, toFileUrl } from './file-urls.ts';
import { parseKeyValuePath } from './key-value-path.ts';
import { parseLifecycleHeaders } from './lifecycle.ts';
import { parseCdnPath } from './parse-cdn-path.ts';
import { decideCondition } from './preconditions.ts';
import { formatVolumePath, parseVolumePath } from './volume/parse-volume-path.ts';

const anything = fc.oneof(fc.string(), fc.string({ unit: 'binary' }));

/** Refuses with an error of the catalogue, or not at all. */
function tame<T>(parse: () => T): T | null {
  try {
    return parse();
  } catch (error) {
    assert.ok(isLannerError(error), String(error));
    assert.ok(error.entry.httpStatus < 500);
    return null;
  }
}

describe('what callers send, whatever it is', () => {
  it('as a range is none, unsatisfiable, or within the file', () => {
    const likely = fc
      .tuple(fc.constantFrom('bytes=', 'bytes = ', '', 'Bytes='), fc.nat(), fc.constantFrom('-', ','), fc.nat())
      .map(([unit, first, separator, last]) => `${unit}${first}${separator}${last}`);
    fc.assert(
      fc.property(
        fc.oneof(
          likely,
          anything,
          fc.bigInt().map((value) => `bytes=${value}-`),
        ),
        fc.nat(1_000),
        (header, size) => {
          const range = parseByteRange(header, size);
          if (range === null || range === 'unsatisfiable') return;
          assert.ok(range.first >= 0 && range.first <= range.last && range.last < size, JSON.stringify(range));
        },
      ),
    );
  });

  it('as a range of a file in parts covers each of its bytes once', () => {
    const sizes = fc.array(fc.nat(20), { maxLength: 12 });
    fc.assert(
      fc.property(sizes, fc.nat(), fc.nat(), (parts, start, length) => {
        const bytes = parts.flatMap((size, part) => Array.from({ length: size }, (_, at) => `${part}:${at}`));
        if (bytes.length === 0) return;
        const first = start % bytes.length;
        const last = first + (length % (bytes.length - first));
        const places = parts.map((sizeBytes, part) => ({ sizeBytes, part }));
        const read = sliceParts(places, { first, last }).flatMap(({ place, range }) =>
          Array.from({ length: range.last - range.first + 1 }, (_, at) => `${place.part}:${range.first + at}`),
        );
        assert.deepEqual(read, bytes.slice(first, last + 1));
      }),
    );
  });

  it('as a path of a volume has no way out, and comes back as it was', () => {
    const segment = fc.oneof(
      anything,
      fc.constantFrom('..', '.', '%2e%2e', '%2E.', 'data', '%00', '%', '%ff', '', '\\..'),
    );
    const path = fc.array(segment, { maxLength: 8 }).map((segments) => segments.join('/'));
    fc.assert(
      fc.property(path, (encoded) => {
        const segments = tame(() => parseVolumePath(encoded));
        for (const name of segments ?? []) {
          assert.ok(name.length > 0 && name.length <= 255 && !name.includes(0) && !name.includes(0x2f));
          assert.ok(!['.', '..'].includes(name.toString('latin1')));
        }
      }),
    );
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }), { maxLength: 6 }), (names) => {
        const clean = names.filter((name) => !/[/\0]/.test(name) && name !== '.' && name !== '..');
        const encoded = ['', 'data', ...clean.map(encodeURIComponent)].join('/');
        assert.equal(formatVolumePath(parseVolumePath(encoded)), ['/data', ...clean].join('/'));
      }),
    );
  });

  it('as a path of the hosts is known or not', () => {
    const likely = fc
      .array(fc.constantFrom('files', 'upload', 'multipart', 'b', 'uploads', '1', 'complete', 'sign', '', 'x', '%2f'), {
        maxLength: 8,
      })
      .map((segments) => `/${segments.join('/')}`);
    const method = fc.constantFrom('GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'PATCH', 'constructor');
    fc.assert(
      fc.property(method, fc.oneof(likely, anything), (verb, path) => {
        parseCdnPath(verb, path);
        tame(() => parseKeyValuePath(verb, path));
        tame(() => parseKeyValuePath(verb, `/set/db/${path}?ttl=${path}`));
      }),
    );
  });

  it('as a file name fits into a path, a header and a URL', () => {
    fc.assert(
      fc.property(anything, (sent) => {
        const name = toFileName(sent, 'image/png');
        assert.ok(name.length > 0 && Buffer.byteLength(name) <= 200 && name.isWellFormed());
        assert.doesNotMatch(name, /[/\\\0\r\n"]/);
        assert.ok(name !== '.' && name !== '..');
        assert.match(toContentDisposition('inline', name), /^[\x20-\x7e]+$/);
        const url = toFileUrl('https://localhost:8443/cdn', { objectId: 'abc', fileName: name });
        assert.equal(parseFileUrl(url), 'abc');
        assert.equal(decodeURIComponent(new URL(url).pathname.split('/').at(-1)!), name);
      }),
    );
  });

  it('as type, lifecycle, condition or URL harms nothing', () => {
    fc.assert(
      fc.property(fc.oneof(anything, fc.json()), (text) => {
        assert.match(toContentType(text), /^[\x20-\x7e\t]+$/);
        tame(() => parseLifecycleHeaders(() => text));
        decideCondition({ 'if-match': text, 'if-none-match': text, 'if-modified-since': text }, '"e"', 0);
        parseFileUrl(text);
      }),
    );
  });
});

describe('file names', () => {
  it('keep what people called them', () => {
    for (const [sent, name] of [
      ['cat.png', 'cat.png'],
      ['/tmp/dir/é 你.mp4', 'é 你.mp4'],
      ['C:\\x\\a.txt', 'a.txt'],
      ['../..', 'file.png'],
      ['', 'file.png'],
      [undefined, 'file.png'],
      ['a\u202egnp.exe', 'a_gnp.exe'],
      [`${'n'.repeat(300)}.tar.gz`, `${'n'.repeat(197)}.gz`],
    ] as const) {
      assert.equal(toFileName(sent, 'image/png'), name);
    }
  });
});
