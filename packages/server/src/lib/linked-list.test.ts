import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LinkedList, type ListNode } from './linked-list.ts';

describe('a linked list', () => {
  it('keeps order while values leave from front, middle and end', () => {
    const list = new LinkedList<number>();
    const nodes = [1, 2, 3, 4, 5].map((value) => list.push(value));
    list.delete(nodes[2]!);
    list.delete(nodes[0]!);
    list.delete(nodes[4]!);
    assert.deepEqual([...list], [2, 4]);
    assert.equal(list.first, 2);
    assert.equal(list.size, 2);
    list.push(6);
    assert.deepEqual([...list], [2, 4, 6]);
  });

  it('lets a value leave once', () => {
    const list = new LinkedList<string>();
    const node = list.push('a');
    assert.equal(list.delete(node), true);
    assert.equal(list.delete(node), false);
    assert.equal(list.size, 0);
    assert.equal(list.first, undefined);
    list.push('b');
    assert.deepEqual([...list], ['b']);
  });

  it('agrees with an array under random use', () => {
    let seed = 11;
    const random = (below: number): number => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % below;
    const list = new LinkedList<number>();
    let nodes: ListNode<number>[] = [];
    for (let step = 0; step < 5_000; step += 1) {
      if (random(2) === 0 || nodes.length === 0) nodes.push(list.push(step));
      else {
        const [node] = nodes.splice(random(nodes.length), 1);
        list.delete(node!);
      }
      assert.equal(list.size, nodes.length);
      assert.equal(list.first, nodes[0]?.value);
    }
    assert.deepEqual(
      [...list],
      nodes.map((node) => node.value),
    );
    nodes = [];
  });
});
