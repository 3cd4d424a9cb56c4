import { ConfigurationError } from '../errors/client-error.ts';

/** An endpoint id taken apart. */
export interface AppId {
  /** `owner/app`, with `workflows/` or `comfy/` in front for these. */
  app: string;
  /** What follows, without slash in front; empty for the root. */
  path: string;
}

/**
 * Reads `owner/app[/path]`, `workflows/owner/name[/path]`, `comfy/owner/name[/path]`; an id without slash has its first `-`
 * read as one (legacy).
 * @throws ConfigurationError `invalid_argument` when there are not enough parts, or characters a URL must not have.
 */
export function parseAppId(id: string): AppId {
  const text = id.includes('/') ? id : id.replace('-', '/');
  const parts = text.replace(/^\/+|\/+$/g, '').split('/');
  const length = parts[0] === 'workflows' || parts[0] === 'comfy' ? 3 : 2;
  const isClean = parts.every((part) => part !== '' && part !== '.' && part !== '..' && !/[\s?#\\]/.test(part));
  if (parts.length < length || !isClean) {
    throw new ConfigurationError('invalid_argument', `"${id}" is not the id of an app.`, {
      advice: 'Give it as "owner/app", with a path behind where needed.',
    });
  }
  return { app: parts.slice(0, length).join('/'), path: parts.slice(length).join('/') };
}

/** The URL of an endpoint: base, app, path of the id, path of the options. */
export function endpointUrl(baseUrl: string, id: string, path: string | undefined): string {
  const { app, path: ownPath } = parseAppId(id);
  const extra = path?.replace(/^\/+/, '') ?? '';
  return [baseUrl, app, ownPath, extra].filter((part) => part !== '').join('/');
}
