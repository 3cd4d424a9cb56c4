import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Json } from '@lanner/protocol';
import fc from 'fast-check';
import { readContents } from './definition.ts';
import { toGraph } from './graph.ts';
import { planSteps, type StepState } from './plan-steps.ts';
import { findReferences, hydrate, parseReference, ReferenceProblem } from './references.ts';
import { completeInput } from './workflow-input.ts';

const id = fc.oneof(
  fc.constantFrom('a', 'b', 'c', 'd', 'e', 'input', '__proto__', 'constructor', 'toString', 'a.b', ''),
  fc.string({ maxLength: 5 }),
);
const reference = fc
  .tuple(id, fc.array(fc.oneof(id, fc.nat(3).map(String)), { maxLength: 3 }))
  .map(([variable, rest]) => `$${[variable, ...rest].join('.')}`);
const likely = fc.oneof(
  reference,
  fc.string({ maxLength: 5 }),
  fc.constantFrom('$', '$$', '$.', '$a..b', '$a.٣', '$input.𝕏'),
);
const json = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4 },
    likely,
    fc.jsonValue({ maxDepth: 1 }) as fc.Arbitrary<Json>,
    fc.array(tie('json'), { maxLength: 3 }),
    fc.dictionary(fc.oneof(id, fc.constant('x')), tie('json'), { maxKeys: 3 }),
  ),
})).json;

const node = fc.oneof(
  fc.record({
    type: fc.constant('run'),
    depends: fc.array(id, { maxLength: 2 }),
    app: fc.constantFrom('o/a', 'o/a/p', 'x', ''),
    input: json,
  }),
  fc.record({ type: fc.constant('display'), depends: fc.array(id, { maxLength: 2 }), fields: json }),
);
/** Like a definition, with something wrong here and there. */
const definition = fc
  .record({
    name: fc.string({ maxLength: 5 }),
    version: fc.constant('0.1'),
    schema: fc.record({ input: fc.dictionary(id, json, { maxKeys: 2 }), output: fc.constant({}) }),
    nodes: fc.dictionary(id, node, { maxKeys: 5 }),
    output: json,
  })
  .map((value) => ({
    ...value,
    nodes: Object.fromEntries(Object.entries(value.nodes).map(([key, each]) => [key, { ...each, id: key }])),
  }));

/** A definition that may have cycles, but no other fault. */
const graphDefinition = fc
  .array(fc.array(fc.nat(7), { maxLength: 3 }), { minLength: 1, maxLength: 8 })
  .chain((needs) => fc.tuple(fc.constant(needs), fc.array(fc.nat(needs.length - 1), { minLength: 1, maxLength: 3 })))
  .map(([needs, output]) => ({
    ...{ name: 'flow', version: '0.1', schema: { input: {}, output: {} } },
    nodes: Object.fromEntries(
      needs.map((each, index) => {
        const known = each.filter((need) => need < needs.length).map((need) => `n${need}`);
        return [
          `n${index}`,
          {
            id: `n${index}`,
            type: 'run',
            app: 'o/a',
            depends: known.slice(1),
            input: known.slice(0, 1).map((need) => `$${need}.x`),
          },
        ];
      }),
    ),
    output: output.map((index) => `$n${index}`),
  }));

function onlyProblems<T>(act: () => T): T | null {
  try {
    return act();
  } catch (error) {
    assert.ok(error instanceof ReferenceProblem, String(error));
    assert.ok(error.message.length < 500);
    return null;
  }
}

/** Carries a plan out, each running node ending in a way of its own; fails when it does not end. */
function carryOut(
  contents: Parameters<typeof toGraph>[0],
  endOf: (id: string) => 'done' | 'failed',
): Map<string, StepState> {
  const graph = toGraph(contents);
  const states = new Map<string, StepState>();
  const begun = new Set<string>();
  for (let step = 0; step <= 2 * graph.nodes.size + 1; step += 1) {
    const plan = planSteps(graph, states);
    for (const skipped of plan.skip) {
      assert.ok(!states.has(skipped));
      states.set(skipped, 'skipped');
    }
    for (const started of plan.start) {
      assert.ok(!begun.has(started), 'a node was begun twice');
      for (const need of graph.needs.get(started)!) assert.equal(states.get(need), 'done');
      begun.add(started);
      states.set(started, 'running');
    }
    if (plan.end?.kind === 'failed') {
      assert.equal(states.get(plan.end.nodeId), 'failed');
      return states;
    }
    if (plan.end?.kind === 'output') {
      for (const needed of graph.neededForOutput)
        assert.equal(states.get(needed), 'done', 'an output without its node');
      assert.equal(states.size, graph.nodes.size);
      return states;
    }
    const [running] = [...states].find(([, state]) => state === 'running') ?? [];
    assert.ok(running !== undefined, 'nothing runs, and it is not the end');
    states.set(running, endOf(running));
  }
  return assert.fail('the workflow does not end');
}

describe('what authors of workflows send, whatever it is', () => {
  it('as contents is accepted or has findings, and never anything else', () => {
    const anything = fc.oneof(
      fc.anything(),
      fc.json().map((text): unknown => JSON.parse(text)),
      definition,
    );
    fc.assert(
      fc.property(anything, (value) => {
        const read = readContents(value);
        if ('findings' in read) assert.ok(read.findings.length > 0 && read.findings.every(({ msg }) => msg !== ''));
        else carryOut(read.contents, () => 'done');
      }),
    );
  });

  it('as contents of any depth and width is answered in time', () => {
    const deep = JSON.parse(`${'['.repeat(50_000)}${']'.repeat(50_000)}`) as Json;
    const chain = Object.fromEntries(
      Array.from({ length: 200 }, (_, index) => [
        `n${index}`,
        { id: `n${index}`, type: 'run', app: 'o/a', depends: index > 0 ? [`n${index - 1}`] : [], input: {} },
      ]),
    );
    const base = { name: 'f', version: '0.1', schema: { input: {}, output: {} } };
    const startedMs = performance.now();
    assert.ok('findings' in readContents({ ...base, nodes: {}, output: deep }));
    assert.ok(
      'contents' in readContents({ ...base, nodes: {}, output: Array.from({ length: 20_000 }, () => '$input') }),
    );
    const read = readContents({ ...base, nodes: chain, output: '$n199' });
    assert.ok('contents' in read);
    carryOut(read.contents, () => 'done');
    assert.ok(performance.now() - startedMs < 2_000);
  });

  it('as a graph ends, however its nodes end, or was refused for a cycle', () => {
    fc.assert(
      fc.property(graphDefinition, fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }), (value, fates) => {
        const read = readContents(value);
        if ('findings' in read) return assert.ok(read.findings.every(({ msg }) => msg.includes('waits for itself')));
        carryOut(read.contents, (nodeId) => (fates[Number(nodeId.slice(1))] ? 'done' : 'failed'));
      }),
    );
  });

  it('as references is put in, or is a problem of the reference', () => {
    const variables = fc.array(fc.tuple(id, json), { maxLength: 4 }).map((pairs) => new Map(pairs));
    fc.assert(
      fc.property(json, variables, (value, known) => {
        const found = onlyProblems(() => findReferences(value));
        const put = onlyProblems(() => hydrate(value, known));
        if (found === null) assert.equal(put, null);
        else if (found.length === 0) assert.equal(JSON.stringify(put), JSON.stringify(value));
      }),
    );
  });

  it('as a reference is read and written alike', () => {
    fc.assert(
      fc.property(reference, (text) => {
        const read = onlyProblems(() => parseReference(text));
        if (read === null) return;
        assert.equal(read.text, text);
        const segments = text.slice(1).split('.');
        assert.deepEqual(
          [read.variable, ...read.path.map(String)],
          [segments[0], ...segments.slice(1).map((each) => (/^\d+$/.test(each) ? String(Number(each)) : each))],
        );
      }),
    );
  });

  it('as input is completed by any schema without losing what was sent', () => {
    fc.assert(
      fc.property(json, fc.dictionary(fc.constantFrom('properties', 'required', 'type'), json), (sent, schema) => {
        const completed = completeInput(sent, schema);
        if ('missing' in completed) return assert.ok(completed.missing.length > 0);
        if (typeof sent !== 'object' || sent === null || Array.isArray(sent))
          return assert.deepEqual(completed.input, sent);
        for (const [key, value] of Object.entries(sent)) {
          assert.ok(Object.hasOwn(completed.input as object, key));
          assert.deepEqual(Object.getOwnPropertyDescriptor(completed.input, key)?.value, value);
        }
      }),
    );
  });
});
