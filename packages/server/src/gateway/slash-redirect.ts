/**
 * Web frameworks answer `/path/` with a redirect to `/path`, or the other way round. They write the address as they see it, without
 * the `/{owner}/{app}` (and, in path mode, `/run`) in front; followed as it stands, it leads to another part of the platform.
 * Other redirects are the app's own business.
 *
 * @param location as the app sent it: a path or a whole URL.
 * @param path of the call as the app saw it.
 * @param base public address of the app, without a slash at the end.
 * @returns the address that the caller can follow, or null when the redirect is of another kind.
 */
export function toPublicSlashRedirect(location: string, path: string, base: string): string | null {
  const match = /^(?:https?:\/\/[^/?#]+)?(\/[^?#]*)(.*)$/i.exec(location);
  if (match === null || path === '/') return null;
  const [, target, rest] = match;
  const other = path.endsWith('/') ? path.slice(0, -1) : `${path}/`;
  return target === other ? `${base}${other}${rest!}` : null;
}
