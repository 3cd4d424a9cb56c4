import { LannerError } from '@lanner/protocol';

/** Name of the environment that always exists; its aliases carry no suffix. */
export const mainEnvironment = 'main';

/** Between an app's name and its environment (grpc-controller 4). */
const environmentSeparator = '--';

const longestName = 128;

/** The public name of an app in an environment: `app`, or `app--staging`. */
export function toAliasName(baseName: string, environmentName: string): string {
  return environmentName === mainEnvironment ? baseName : `${baseName}${environmentSeparator}${environmentName}`;
}

/** The name without its environment's suffix. */
export function toBaseName(aliasName: string, environmentName: string): string {
  const suffix = `${environmentSeparator}${environmentName}`;
  return environmentName !== mainEnvironment && aliasName.endsWith(suffix)
    ? aliasName.slice(0, -suffix.length)
    : aliasName;
}

/**
 * Checks a full alias name, as clients send it (suffix included), for one environment. It becomes a path segment of
 * public addresses: letters, digits, single `-` and `_`, beginning and ending with a letter or digit (a trailing `_` is
 * a legal Python name and allowed).
 * @throws LannerError `invalid_argument`, suggesting a name that would do.
 */
export function assertAliasName(aliasName: string, environmentName: string): void {
  const baseName = toBaseName(aliasName, environmentName);
  if (environmentName !== mainEnvironment && baseName === aliasName) {
    throw new LannerError(
      'invalid_argument',
      `The app name "${shorten(aliasName)}" does not belong to environment "${environmentName}": there it has to end with ` +
        `"${environmentSeparator}${environmentName}". Use "${toAliasName(suggestName(aliasName), environmentName)}".`,
    );
  }
  if (aliasName.length <= longestName && /^[A-Za-z0-9][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*$/.test(baseName)) return;
  const isOfEnvironment = environmentName === mainEnvironment && baseName.includes(environmentSeparator);
  const hint = isOfEnvironment ? ' Two dashes stand before the name of an environment: choose one with --env.' : '';
  throw new LannerError(
    'invalid_argument',
    `The app name "${shorten(aliasName)}" cannot be used in an address: up to ${longestName} letters, digits, single "-" and "_", ` +
      `beginning with a letter or digit. Use "${toAliasName(suggestName(baseName), environmentName)}".${hint}`,
  );
}

/** A kebab-case name near to any text. */
function suggestName(text: string): string {
  const words = text
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .slice(0, 4 * longestName)
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '');
  return words.join('-').slice(0, 60).replace(/-$/, '') || 'my-app';
}

function shorten(text: string): string {
  return text.length <= 100 ? text : `${text.slice(0, 100)}…`;
}
