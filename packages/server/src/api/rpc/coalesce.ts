const notReady = Symbol('not ready');

/**
 * Gathers what a source has ready into lists, so that a burst of log lines costs one message instead of thousands, while
 * a single line still leaves at once. Pulls no more than one item ahead: a slow reader slows the source.
 *
 * @param mostItems longest list.
 */
export async function* coalesce<Item>(
  source: AsyncIterable<Item>,
  mostItems: number,
): AsyncGenerator<Item[], void, void> {
  const iterator = source[Symbol.asyncIterator]();
  const pull = (): Promise<IteratorResult<Item>> => {
    const next = iterator.next();
    // Awaited later, maybe after the reader has left: a failure must not count as unhandled meanwhile.
    next.catch(() => undefined);
    return next;
  };
  let pending = pull();
  try {
    for (;;) {
      const first = await pending;
      if (first.done === true) return;
      const items = [first.value];
      pending = pull();
      while (items.length < mostItems) {
        const next = await Promise.race([pending, nextTurn()]).catch(() => notReady);
        if (typeof next === 'symbol' || next.done === true) break;
        items.push(next.value);
        pending = pull();
      }
      yield items;
    }
  } finally {
    // Not awaited: a source that waits for something else ends when its own signal says so.
    iterator.return?.().then(undefined, () => undefined);
  }
}

/** What has arrived by now counts as ready; a turn of the event loop is no timer. */
function nextTurn(): Promise<typeof notReady> {
  return new Promise((resolve) => setImmediate(() => resolve(notReady)));
}
