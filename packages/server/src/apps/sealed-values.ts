/** A value that the secrets key seals, and the place it belongs to. */
export interface SealedValue {
  place: readonly string[];
  sealed: Uint8Array;
}

/** Everything in the database that is sealed with the secrets key, whichever domain it belongs to. */
export interface SealedValues {
  /** Any one, secrets before others; null when nothing is sealed. */
  findAny(): Promise<SealedValue | null>;
  /** Any one that nobody could make again; null when there is none. */
  findIrreplaceable(): Promise<SealedValue | null>;
  /**
   * Replaces every value by what `reseal` makes of it: all of them or, when it throws or the process dies, none. A
   * replaceable one for which it throws stays as it is. Nobody else may use the database meanwhile. Resolves with how many
   * were replaced.
   */
  resealAll(reseal: (value: SealedValue) => Uint8Array): Promise<number>;
}
