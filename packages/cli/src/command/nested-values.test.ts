import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../output.ts';
import { parseNestedValues } from './nested-values.ts';

for (const [words, expected] of [
  [[], {}],
  [['a=1'], { a: '1' }],
  [['a:=1', 'b:=[true]', 'c:={"d": null}'], { a: 1, b: [true], c: { d: null } }],
  [['a[b]=1', 'a[c]=2'], { a: { b: '1', c: '2' } }],
  [['a[0]=x', 'a[2]=z'], { a: ['x', null, 'z'] }],
  [['a[]=x', 'a[]=y'], { a: ['x', 'y'] }],
  [
    ['[]=x', '[]=y'],
    ['x', 'y'],
  ],
  [['[0][name]=x'], [{ name: 'x' }]],
  [['points[][x]=1', 'points[0][y]=2'], { points: [{ x: '1', y: '2' }] }],
  [['q=a=b'], { q: 'a=b' }],
  [['url=https://x/?a=b'], { url: 'https://x/?a=b' }],
  [['a\\[b\\]=1'], { 'a[b]': '1' }],
  [['a[\\0]=1'], { a: { 0: '1' } }],
  [['empty='], { empty: '' }],
  [['=root'], { '': 'root' }],
  [['5=a'], { 5: 'a' }],
  [['a=1', 'a=2'], { a: '2' }],
] as const) {
  test(`${words.join(' ')} is ${JSON.stringify(expected)}`, () => {
    assert.deepEqual(parseNestedValues(words), expected);
  });
}

test('a key that means something to JavaScript is a key like every other', () => {
  const value = parseNestedValues(['__proto__[polluted]=1', 'constructor=2']);
  assert.equal(JSON.stringify(value), '{"__proto__":{"polluted":"1"},"constructor":"2"}');
  assert.equal(({} as { polluted?: string }).polluted, undefined);
});

for (const words of [
  ['word'],
  ['a:=x'],
  ['a[=1'],
  ['a]=1'],
  ['a[b=1'],
  ['a[-1]=1'],
  ['a[0]b=1'],
  ['[x]=1'],
  ['a[999999999]=1'],
  ['a=1', 'a[b]=2'],
  ['a[b]=1', 'a[]=2'],
  ['[]=1', 'a=2'],
]) {
  test(`${words.join(' ')} is refused`, () => {
    assert.throws(() => parseNestedValues(words), UsageError);
  });
}
