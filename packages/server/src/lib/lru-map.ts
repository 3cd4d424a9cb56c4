/** A map with a bound: when full, the entry that was used longest ago makes room. */
export interface LruMap<Key, Value> {
  /** Reading counts as use. */
  get(key: Key): Value | undefined;
  set(key: Key, value: Value): void;
  /** Removes the entries for which `matches` holds. Visits all. */
  deleteWhere(matches: (value: Value) => boolean): void;
  readonly size: number;
}

/** @param capacity most entries, at least 1. */
export function createLruMap<Key, Value>(capacity: number): LruMap<Key, Value> {
  // A Map remembers the order of insertion: the first key is the one used longest ago.
  const entries = new Map<Key, Value>();
  return {
    get(key) {
      const value = entries.get(key);
      if (value === undefined) return undefined;
      entries.delete(key);
      entries.set(key, value);
      return value;
    },
    set(key, value) {
      entries.delete(key);
      if (entries.size >= capacity) {
        const oldest = entries.keys().next();
        if (!oldest.done) entries.delete(oldest.value);
      }
      entries.set(key, value);
    },
    deleteWhere(matches) {
      for (const [key, value] of entries) if (matches(value)) entries.delete(key);
    },
    get size() {
      return entries.size;
    },
  };
}
