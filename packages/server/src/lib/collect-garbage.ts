import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Collects garbage now; blocks while it does. `young`: only what was made a moment ago; `all` gives the memory back, too. */
export type CollectGarbage = (what: 'young' | 'all') => void;

/** V8's own function, which is there only while the flag is set that this sets for a moment. Does nothing where V8 has none. */
export function findCollector(): CollectGarbage {
  setFlagsFromString('--expose-gc');
  const gc: unknown = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  if (typeof gc !== 'function') return () => {};
  // A regular major collection keeps the pages that it empties.
  return (what) => void gc(what === 'young' ? { type: 'minor' } : { type: 'major', flavor: 'last-resort' });
}
