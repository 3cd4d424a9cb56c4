/**
 * The absolute path of a place in the data volume: relative ones lie in `/data`, as `fal files` has it.
 * @returns e.g. `/data/models/a.bin`; `/data` for an empty path and for `.`.
 */
export function toRemotePath(path: string): string {
  const absolute = path.startsWith('/') ? path : `/data/${path}`;
  const segments = absolute.split('/').filter((segment) => segment !== '' && segment !== '.');
  return `/${segments.join('/')}`;
}

/** The path as it stands in a URL: its leading slash stays, so it begins with two. */
export function encodeRemotePath(path: string): string {
  return toRemotePath(path).split('/').map(encodeURIComponent).join('/');
}

/** A place below another. */
export const below = (folder: string, name: string): string => toRemotePath(`${toRemotePath(folder)}/${name}`);
