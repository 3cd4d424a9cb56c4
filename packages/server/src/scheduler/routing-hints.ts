import type { Runner } from './runner.ts';

/** Hints one runner may publish; more are ignored. */
const hintsPerRunner = 256;
/** Callers' hints remembered for session affinity; the least recent go first. */
const rememberedHints = 1024;

/**
 * Which runner a hint leads to (platform-semantics 5.9): one that published it (exact match), else the one that last served
 * it. Only runners with room are considered; a request never waits for a match.
 */
export class RoutingHints {
  readonly #published = new Map<string, Set<Runner>>();
  readonly #publishedBy = new Map<Runner, readonly string[]>();
  readonly #lastServed = new Map<string, Runner>();

  find(hint: string, free: ReadonlySet<Runner>): Runner | null {
    for (const runner of this.#published.get(hint) ?? []) if (free.has(runner)) return runner;
    const last = this.#lastServed.get(hint);
    return last && free.has(last) ? last : null;
  }

  /** Replaces what the runner published before. */
  publish(runner: Runner, hints: readonly string[]): void {
    const before = this.#publishedBy.get(runner) ?? [];
    const kept = hints.slice(0, hintsPerRunner);
    // Every response repeats the set; it rarely changes.
    if (before.length === kept.length && kept.every((hint, index) => hint === before[index])) return;
    this.#withdraw(runner);
    this.#publishedBy.set(runner, kept);
    for (const hint of kept) {
      const runners = this.#published.get(hint);
      if (runners) runners.add(runner);
      else this.#published.set(hint, new Set([runner]));
    }
  }

  /** Remembers who served this hint last. */
  served(hint: string, runner: Runner): void {
    this.#lastServed.delete(hint);
    this.#lastServed.set(hint, runner);
    if (this.#lastServed.size > rememberedHints) {
      for (const oldest of this.#lastServed.keys()) {
        this.#lastServed.delete(oldest);
        break;
      }
    }
  }

  forget(runner: Runner): void {
    this.#withdraw(runner);
    for (const [hint, last] of this.#lastServed) if (last === runner) this.#lastServed.delete(hint);
  }

  #withdraw(runner: Runner): void {
    for (const hint of this.#publishedBy.get(runner) ?? []) {
      const runners = this.#published.get(hint);
      runners?.delete(runner);
      if (runners?.size === 0) this.#published.delete(hint);
    }
    this.#publishedBy.delete(runner);
  }
}
