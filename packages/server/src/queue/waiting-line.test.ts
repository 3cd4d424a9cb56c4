import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { WaitingLine, type LinePlace } from './waiting-line.ts';

const place = (number: number, priority: 'normal' | 'low' = 'normal'): LinePlace => ({ number, priority });

describe('the waiting line', () => {
  it('serves by priority, then arrival; those that come back have their old place', () => {
    const line = new WaitingLine<LinePlace>();
    const items = [place(1, 'low'), place(2), place(3), place(4, 'low')];
    for (const item of items) line.add(item);
    assert.deepEqual(
      [...line].map((item) => item.number),
      [2, 3, 1, 4],
    );
    assert.equal(line.first()?.number, 2);
    assert.ok(line.remove(items[1]!));
    assert.equal(line.first()?.number, 3);
    line.add(items[1]!);
    assert.deepEqual(
      [...line].map((item) => item.number),
      [2, 3, 1, 4],
    );
    assert.deepEqual(
      items.map((item) => line.position(item)),
      [2, 0, 1, 3],
    );
  });

  it('agrees with a sorted list under random adds, removals and returns', () => {
    const line = new WaitingLine<LinePlace>();
    let seed = 7;
    const random = (below: number): number => (seed = (seed * 1_103_515_245 + 12_345) & 0x7fff_ffff) % below;
    const all: LinePlace[] = [];
    let present: LinePlace[] = [];
    const order = (a: LinePlace, b: LinePlace): number =>
      a.priority === b.priority ? a.number - b.number : a.priority === 'normal' ? -1 : 1;
    for (let step = 0; step < 12_000; step += 1) {
      const what = random(10);
      if (what < 6) {
        const item = place(all.length, random(3) === 0 ? 'low' : 'normal');
        all.push(item);
        present.push(item);
        line.add(item);
      } else if (what < 9 && present.length > 0) {
        const [item] = present.splice(random(present.length), 1);
        assert.ok(line.remove(item!));
        assert.ok(!line.remove(item!));
      } else if (all.length > 0) {
        const item = all[random(all.length)]!;
        if (present.includes(item)) continue;
        present.push(item);
        line.add(item);
      }
    }
    present = present.toSorted(order);
    assert.equal(line.size, present.length);
    assert.deepEqual([...line], present);
    assert.equal(line.first(), present[0]);
    for (let at = 0; at < present.length; at += 37) assert.equal(line.position(present[at]!), at);
    for (const item of present) {
      assert.equal(line.first(), item);
      line.remove(item);
    }
    assert.equal(line.first(), undefined);
  });
});
