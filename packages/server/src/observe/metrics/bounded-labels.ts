/**
 * Keeps the number of series small, whatever names there are: the first so many are told apart, the rest counts as `other`. What
 * was told apart stays so, because a counter that changes its label would seem to jump.
 */
export class BoundedLabels {
  readonly #most: number;
  readonly #known = new Set<string>();

  constructor(most: number) {
    this.#most = most;
  }

  /** The name, or `other`. */
  of(name: string): string {
    if (this.#known.has(name)) return name;
    if (this.#known.size >= this.#most) return 'other';
    this.#known.add(name);
    return name;
  }
}
