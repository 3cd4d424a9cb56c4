import type { Runner } from './runner.ts';

/**
 * Who is to be replaced by whom: rollouts and "stop with replacement first". The replacement comes on top of
 * `max_concurrency`; the old runner drains only when it is ready (platform-semantics 4.4).
 */
export class Replacements {
  readonly #byOld = new Map<Runner, Runner | null>();
  readonly #byNew = new Map<Runner, Runner>();

  /** Old runners that still serve. */
  get size(): number {
    return this.#byOld.size;
  }

  /** True for a runner on its way to replace another: it is no answer to demand yet. */
  isReplacement(runner: Runner): boolean {
    return this.#byNew.has(runner);
  }

  want(old: Runner): void {
    if (this.#byOld.has(old)) return;
    this.#byOld.set(old, null);
    old.replacement = 'WILL_REPLACE';
  }

  /** Old runners for whom no replacement is on its way. */
  missing(): Runner[] {
    return [...this.#byOld].filter(([, replacement]) => replacement === null).map(([old]) => old);
  }

  begun(old: Runner, replacement: Runner): void {
    this.#byOld.set(old, replacement);
    this.#byNew.set(replacement, old);
  }

  /** The replacement is ready. @returns the runner that may drain now, if it is still there. */
  ready(replacement: Runner): Runner | null {
    const old = this.#byNew.get(replacement);
    if (!old) return null;
    this.#byNew.delete(replacement);
    this.#byOld.delete(old);
    old.replacement = 'DID_REPLACE';
    return old;
  }

  /** The runner leaves, whichever side it is on. A replacement without its old one becomes an ordinary runner. */
  forget(runner: Runner): void {
    const replacement = this.#byOld.get(runner);
    if (replacement !== undefined) {
      this.#byOld.delete(runner);
      if (replacement) this.#byNew.delete(replacement);
      if (runner.replacement === 'WILL_REPLACE') runner.replacement = 'NO_REPLACE';
    }
    const old = this.#byNew.get(runner);
    if (old) {
      this.#byNew.delete(runner);
      this.#byOld.set(old, null);
    }
  }

  clear(): void {
    for (const old of this.#byOld.keys()) if (old.replacement === 'WILL_REPLACE') old.replacement = 'NO_REPLACE';
    this.#byOld.clear();
    this.#byNew.clear();
  }
}
