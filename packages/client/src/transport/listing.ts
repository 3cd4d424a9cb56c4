/**
 * A list that is fetched when it is awaited or looped over: `await client.apps.list()` is an array,
 * `for await (const app of client.apps.list())` goes through it. Fetched once, however often it is read.
 *
 * @example
 * ```ts
 * const keys: Listing<KeyInfo> = client.keys.list();
 * console.log((await keys).length);
 * for await (const key of keys) console.log(key.keyId);
 * ```
 */
export class Listing<T> implements PromiseLike<T[]>, AsyncIterable<T> {
  readonly #fetch: () => Promise<T[]>;
  #items: Promise<T[]> | undefined;

  /** @internal */
  constructor(fetch: () => Promise<T[]>) {
    this.#fetch = fetch;
  }

  /**
   * The items as an array: what `await` calls.
   *
   * @example
   * ```ts
   * console.log((await client.keys.list()).length);
   * ```
   */
  // oxlint-disable-next-line unicorn/no-thenable -- a list that can be awaited is the point
  then<A = T[], B = never>(
    fulfilled?: ((items: T[]) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#items ??= this.#fetch();
    return this.#items.then(fulfilled, rejected);
  }

  /**
   * Goes through the items.
   *
   * @example
   * ```ts
   * for await (const key of client.keys.list()) console.log(key.keyId);
   * ```
   */
  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    yield* await this;
  }
}
