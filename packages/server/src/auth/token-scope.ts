import { LannerError } from '@lanner/protocol';

/** Apps that a short-lived token may call, in one of the forms of {@link parseAllowedApps}; checked, without slashes at the ends. */
export type AllowedApps = readonly string[];

/** What a call is for. */
export interface CallPlace {
  /** Nickname, with `workflows/` or `comfy/` in front for these. */
  owner: string;
  app: string;
  /** As the app sees it: begins with `/`. */
  path: string;
}

const mostApps = 32;
const longestApp = 256;
// eslint-disable-next-line no-control-regex
const notInApp = /[\u0000-\u0020?#\\\u007f]/;

/**
 * Checks the apps that a new token is for (data-plane 1.5): `alias` (what the official clients send: that app, whoever its
 * owner), `{digits}-{alias}` (legacy), `owner/alias`, or `owner/alias/path` (that path and what is below it).
 * @throws LannerError `invalid_argument`.
 */
export function parseAllowedApps(apps: readonly string[]): AllowedApps {
  if (apps.length === 0) {
    throw new LannerError('invalid_argument', 'A token is for one app or more; name them in "allowed_apps".');
  }
  if (apps.length > mostApps) {
    throw new LannerError('invalid_argument', `A token is for up to ${mostApps} apps; ${apps.length} were named.`);
  }
  return [...new Set(apps.map(parseAllowedApp))];
}

/** Whether a token for `apps` may make a call. Text alone: what does not exist is refused or allowed like what does. */
export function allowsCall(apps: AllowedApps, { owner, app, path }: CallPlace): boolean {
  return apps.some((allowed) => {
    if (!allowed.includes('/')) return allowed === app || allowed === `${owner}-${app}`;
    const called = `${owner}/${app}${path}`;
    return called === allowed || called.startsWith(`${allowed}/`);
  });
}

/**
 * Whether a token for `apps` may look after requests that were submitted to an app: the paths of such calls name no path of the
 * app, so a token for one path of it will do.
 */
export function allowsApp(apps: AllowedApps, { owner, app }: Pick<CallPlace, 'owner' | 'app'>): boolean {
  return apps.some(
    (allowed) => allowsCall([allowed], { owner, app, path: '' }) || allowed.startsWith(`${owner}/${app}/`),
  );
}

function parseAllowedApp(text: string): string {
  const id = text.replace(/^\/|\/$/g, '');
  const isClean =
    id.length <= longestApp &&
    !notInApp.test(id) &&
    id.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
  if (isClean) return id;
  throw new LannerError(
    'invalid_argument',
    `"${text.slice(0, 100)}" names no app. A token is for "alias", "owner/alias" or "owner/alias/path".`,
  );
}
