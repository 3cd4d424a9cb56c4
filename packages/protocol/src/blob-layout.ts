/**
 * Where a blob lies below a blob folder: two levels, so that no folder grows without bound.
 * @param hash lower-case hex SHA-256, the blob's name.
 * @returns relative POSIX path, e.g. `ab/abcdef…`.
 */
export function blobRelativePath(hash: string): string {
  if (!/^[0-9a-f]{64}$/.test(hash)) throw new RangeError(`not a blob hash: ${hash.slice(0, 80)}`);
  return `${hash.slice(0, 2)}/${hash}`;
}
