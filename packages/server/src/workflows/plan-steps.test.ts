import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Json } from '@lanner/protocol';
import { readContents } from './definition.ts';
import { toGraph, type WorkflowGraph } from './graph.ts';
import { planSteps, type StepState } from './plan-steps.ts';
import { contentsOf, runNode } from './testing/sample-contents.ts';

function graphOf(needs: Record<string, string[]>, output: Json): WorkflowGraph {
  const nodes = Object.entries(needs).map(
    ([id, of]) =>
      [
        id,
        runNode(
          id,
          of.map((need) => `$${need}`),
        ),
      ] as const,
  );
  const read = readContents(contentsOf(Object.fromEntries(nodes), output));
  assert.ok('contents' in read, JSON.stringify(read));
  return toGraph(read.contents);
}
const plan = (graph: WorkflowGraph, states: Record<string, StepState>) =>
  planSteps(graph, new Map(Object.entries(states)));

describe('the plan of a workflow', () => {
  const diamond = graphOf({ d: ['b', 'c'], b: ['a'], c: ['a'], a: ['input'] }, '$d');

  it('begins with what waits for nothing, and goes on with what all is done for', () => {
    assert.deepEqual(plan(diamond, {}).start, ['a']);
    assert.deepEqual(plan(diamond, { a: 'running' }), { start: [], skip: [], end: null });
    assert.deepEqual(plan(diamond, { a: 'done' }).start.toSorted(), ['b', 'c']);
    assert.deepEqual(plan(diamond, { a: 'done', b: 'done', c: 'running' }).start, []);
    assert.deepEqual(plan(diamond, { a: 'done', b: 'done', c: 'done' }).start, ['d']);
  });

  it('ends with the output when everything is over', () => {
    assert.deepEqual(plan(diamond, { a: 'done', b: 'done', c: 'done', d: 'done' }).end, { kind: 'output' });
    assert.deepEqual(plan(graphOf({}, '$input'), {}).end, { kind: 'output' });
  });

  it('ends at once when the output cannot come any more', () => {
    assert.deepEqual(plan(diamond, { a: 'done', b: 'failed', c: 'running' }).end, { kind: 'failed', nodeId: 'b' });
  });

  it('leaves out what depends on a failure and goes on, when the output does not need it', () => {
    const graph = graphOf({ z: ['y'], y: ['x'], x: ['input'], a: ['input'] }, '$a');
    assert.deepEqual(plan(graph, { x: 'failed', a: 'running' }), { start: [], skip: ['y', 'z'], end: null });
    assert.deepEqual(plan(graph, { x: 'failed', y: 'skipped', z: 'skipped', a: 'done' }).end, { kind: 'output' });
  });

  it('waits for side branches before it ends', () => {
    const graph = graphOf({ x: ['input'], a: ['input'] }, '$a');
    assert.equal(plan(graph, { a: 'done', x: 'running' }).end, null);
  });
});
