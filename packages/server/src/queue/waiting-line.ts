/** Something with a place in the line. */
export interface LinePlace {
  /** Ascending in the order of arrival. */
  number: number;
  priority: 'normal' | 'low';
}

const chunkSize = 1024;

interface Chunk<Item> {
  items: Item[];
  /** Present items. */
  count: number;
}

/**
 * Waiting requests of one target by priority and arrival. Taking the first, leaving the middle, coming back to one's old
 * place and asking for one's position cost a few microseconds with a million in line: positions are counted over chunks of
 * a thousand.
 */
export class WaitingLine<Item extends LinePlace> {
  readonly #levels = { normal: [] as Chunk<Item>[], low: [] as Chunk<Item>[] };
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Joins at the place that its number gives it. */
  add(item: Item): void {
    const chunks = this.#levels[item.priority];
    this.#size += 1;
    let at = chunks.length - 1;
    // Nearly always the end; those that come back look further ahead.
    if (at >= 0 && item.number <= lastOf(chunks[at]!)) at = findChunk(chunks, item.number);
    const chunk = chunks[at];
    if (
      chunk === undefined ||
      (at === chunks.length - 1 && chunk.items.length >= chunkSize && item.number > lastOf(chunk))
    ) {
      chunks.push({ items: [item], count: 1 });
      return;
    }
    const place = findPlace(chunk.items, item.number);
    if (place === chunk.items.length) chunk.items.push(item);
    else chunk.items.splice(place, 0, item);
    chunk.count += 1;
    if (chunk.items.length >= 2 * chunkSize) {
      const tail = chunk.items.splice(chunkSize);
      chunk.count -= tail.length;
      chunks.splice(at + 1, 0, { items: tail, count: tail.length });
    }
  }

  /** @returns false when it is not in line. */
  remove(item: Item): boolean {
    const chunks = this.#levels[item.priority];
    const at = findChunk(chunks, item.number);
    const chunk = chunks[at];
    if (chunk === undefined) return false;
    const place = findPlace(chunk.items, item.number);
    if (chunk.items[place]?.number !== item.number) return false;
    chunk.items.splice(place, 1);
    chunk.count -= 1;
    if (chunk.count === 0) chunks.splice(at, 1);
    this.#size -= 1;
    return true;
  }

  first(): Item | undefined {
    return this.#levels.normal[0]?.items[0] ?? this.#levels.low[0]?.items[0];
  }

  /** The one that arrived first, whatever its priority. */
  oldest(): Item | undefined {
    const [normal, low] = [this.#levels.normal[0]?.items[0], this.#levels.low[0]?.items[0]];
    if (normal === undefined || low === undefined) return normal ?? low;
    return normal.number < low.number ? normal : low;
  }

  /** How many are ahead. */
  position(item: Item): number {
    let ahead = 0;
    if (item.priority === 'low') for (const chunk of this.#levels.normal) ahead += chunk.count;
    for (const chunk of this.#levels[item.priority]) {
      if (lastOf(chunk) >= item.number) return ahead + findPlace(chunk.items, item.number);
      ahead += chunk.count;
    }
    return ahead;
  }

  *[Symbol.iterator](): Generator<Item> {
    for (const level of [this.#levels.normal, this.#levels.low]) {
      for (const chunk of level) for (const item of chunk.items) yield item;
    }
  }
}

function lastOf<Item extends LinePlace>(chunk: Chunk<Item>): number {
  return chunk.items[chunk.items.length - 1]?.number ?? -1;
}

/** The first chunk whose last number is not smaller; the last chunk when all are. */
function findChunk<Item extends LinePlace>(chunks: Chunk<Item>[], number: number): number {
  let low = 0;
  let high = chunks.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lastOf(chunks[middle]!) >= number) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Where the number is, or would be. */
function findPlace<Item extends LinePlace>(items: Item[], number: number): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (items[middle]!.number < number) low = middle + 1;
    else high = middle;
  }
  return low;
}
