/** What is stored about who needs a blob, over all domains that keep blobs. */
export interface BlobReferences {
  /** Those of `names` that something stored refers to; at most a few hundred names at a time. */
  filterReferenced(names: readonly string[]): Promise<Set<string>>;
}
