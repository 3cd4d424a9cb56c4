import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Json } from '@lanner/protocol';
import { findReferences, hydrate, parseReference, ReferenceProblem } from './references.ts';

const variables = new Map<string, Json>([
  ['input', { prompt: 'a cat', list: [1, [2, 3]], nothing: null, price: '$5' }],
  ['draw', { images: [{ url: 'https://x/1.png' }] }],
]);

describe('references of a workflow', () => {
  it('are read into a variable and a path', () => {
    assert.deepEqual(parseReference('$draw.images.0.url').path, ['images', 0, 'url']);
    assert.deepEqual(parseReference('$input').path, []);
    assert.equal(parseReference('$größe.ähnlich').variable, 'größe');
  });

  it('are refused when a segment is neither number nor identifier', () => {
    for (const text of ['$', '$.a', '$a.', '$a.b-c', '$a.0x', '$a.b[0]', '$a. b']) {
      assert.throws(() => parseReference(text), ReferenceProblem, text);
    }
  });

  it('are found wherever they stand, and only as a whole text', () => {
    const value = { a: '$input.prompt', b: ['$draw', { c: 'costs $5' }], d: 3 };
    assert.deepEqual(
      findReferences(value).map(({ text }) => text),
      ['$input.prompt', '$draw'],
    );
  });

  it('are replaced by the value they stand for, of any type', () => {
    assert.deepEqual(hydrate({ a: '$input.list.1', b: ['$draw.images.0.url', 'x'], c: '$input.nothing' }, variables), {
      a: [2, 3],
      b: ['https://x/1.png', 'x'],
      c: null,
    });
  });

  it('are not looked for in what was put in', () => {
    assert.deepEqual(hydrate({ a: '$input.price' }, variables), { a: '$5' });
  });

  it('say where they lead nowhere', () => {
    const says = (text: string, pattern: RegExp): void =>
      assert.throws(
        () => hydrate(text, variables),
        (error) => error instanceof ReferenceProblem && pattern.test(error.message),
      );
    says('$other', /no value "other"/);
    says('$draw.images.1', /a list of 1 has no item 1/);
    says('$input.prompt.length', /a string has no key "length"/);
    says('$input.nothing.x', /null has no key "x"/);
    says('$draw.toString', /an object has no key "toString"/);
    says('$draw.__proto__', /an object has no key "__proto__"/);
  });
});
