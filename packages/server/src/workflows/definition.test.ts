import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readContents } from './definition.ts';
import { contentsOf, runNode } from './testing/sample-contents.ts';

const findings = (value: unknown): string[] => {
  const read = readContents(value);
  return 'findings' in read ? read.findings.map(({ loc, msg }) => `${loc.join('.')}: ${msg}`) : [];
};
const refuses = (value: unknown, pattern: RegExp): void => {
  const said = findings(value);
  assert.ok(
    said.some((each) => pattern.test(each)),
    `expected ${pattern}, got ${JSON.stringify(said)}`,
  );
};

describe('contents of a workflow', () => {
  it('are accepted as the official client publishes them, unknown members included', () => {
    const contents = { ...contentsOf({ a: runNode('a', '$input.x'), b: runNode('b', '$a.y') }, '$b.y'), extra: 1 };
    const read = readContents(contents);
    assert.ok('contents' in read, JSON.stringify(read));
    assert.equal(read.contents['extra'], 1);
  });

  it('are refused without an output', () => {
    const nodes = { a: runNode('a', 1) };
    refuses({ ...contentsOf(nodes, 1), output: {} }, /^output: The workflow has no output/);
    refuses({ ...contentsOf(nodes, 1), output: null }, /^output: /);
    refuses({ ...contentsOf(nodes, 1), output: undefined }, /^output: /);
  });

  it('are refused with references that lead to no node', () => {
    refuses(contentsOf({ a: runNode('a', '$b.x') }, '$a'), /^nodes\.a\.input: "\$b\.x" refers to a node "b"/);
    refuses(contentsOf({ a: runNode('a', 1) }, '$c'), /^output: "\$c"/);
    refuses(
      contentsOf({ a: runNode('a', '$input.b-c') }, '$a'),
      /^nodes\.a\.input: .*neither a number nor an identifier/,
    );
    refuses(
      contentsOf({ a: { ...runNode('a', 1), depends: ['z'] } }, '$a'),
      /^nodes\.a\.depends: There is no node "z"/,
    );
  });

  it('are refused when a node waits for itself, with the way it does', () => {
    refuses(contentsOf({ a: runNode('a', '$a') }, '$a'), /a needs a/);
    const nodes = { a: runNode('a', '$c'), b: runNode('b', '$a'), c: runNode('c', '$b') };
    refuses(contentsOf(nodes, '$c'), /a needs c needs b needs a/);
  });

  it('are refused with names that cannot be used', () => {
    refuses(contentsOf({ a: runNode('b', 1) }, '$a'), /calls itself "b"/);
    refuses(contentsOf({ input: runNode('input', 1) }, '$input'), /what the caller sends/);
    refuses(contentsOf({ 'a.b': runNode('a.b', 1) }, '$input'), /dot/);
    refuses(contentsOf({ a: { ...runNode('a', 1), app: 'nothing' } }, '$a'), /is no app/);
    refuses(contentsOf({ a: { ...runNode('a', 1), type: 'loop' } }, '$a'), /^nodes\.a\.type/);
  });

  it('are bounded in size and depth', () => {
    const many = Object.fromEntries(Array.from({ length: 201 }, (_, n) => [`n${n}`, runNode(`n${n}`, 1)]));
    refuses(contentsOf(many, '$n1'), /up to 200 nodes/);
    let deep: unknown = 1;
    for (let level = 0; level < 20_000; level += 1) deep = [deep];
    refuses({ ...contentsOf({ a: runNode('a', 1) }, '$a'), output: deep }, /levels deep/);
  });

  it('never fail in another way, whatever is sent', () => {
    for (const value of [null, 1, 'x', [], {}, { nodes: [] }, { ...contentsOf({}, 1), nodes: { a: null } }]) {
      assert.ok(findings(value).length > 0, JSON.stringify(value));
    }
  });
});
