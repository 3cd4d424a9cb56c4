/** Looking for those that went costs a look at all, so not every newcomer causes it. */
const missesPerLook = 100;

/**
 * Keeps the number of series small, whatever names there are: so many are told apart, the rest counts as `other`; what does not last
 * (an app that lives as long as a command) counts as `ephemeral`. A name that ceased to last gives its place up when places are short.
 */
export class BoundedLabels {
  readonly #most: number;
  readonly #isLasting: (name: string) => boolean;
  readonly #onForgotten: (name: string) => void;
  readonly #known = new Set<string>();
  #misses = 0;

  /** @param onForgotten its series are not wanted any more. */
  constructor(most: number, isLasting: (name: string) => boolean, onForgotten: (name: string) => void) {
    this.#most = most;
    this.#isLasting = isLasting;
    this.#onForgotten = onForgotten;
  }

  /** The name, `other` or `ephemeral`. */
  of(name: string): string {
    if (this.#known.has(name)) return name;
    if (!this.#isLasting(name)) return 'ephemeral';
    if (this.#known.size >= this.#most && !this.#makeRoom()) return 'other';
    this.#known.add(name);
    return name;
  }

  #makeRoom(): boolean {
    if (this.#misses++ % missesPerLook !== 0) return false;
    for (const name of this.#known) {
      if (this.#isLasting(name)) continue;
      this.#known.delete(name);
      this.#onForgotten(name);
    }
    return this.#known.size < this.#most;
  }
}
