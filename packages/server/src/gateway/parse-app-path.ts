import { LannerError } from '@lanner/protocol';

/** A request target of the run role, taken apart (data-plane 1.3). */
export interface AppPath {
  /** Nickname; of a workflow with its namespace, `workflows/nickname`. */
  owner: string;
  app: string;
  /** What the app sees: begins with `/`, no query, otherwise exactly as the caller sent it. */
  path: string;
  /** Empty, or `?` and the query exactly as sent. */
  query: string;
}

const dotSegment = /(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i;
// eslint-disable-next-line no-control-regex
const notInName = /[\u0000-\u0020/\\?#\u007f]/;

/**
 * Takes `/{owner}/{app}[/{path}][?query]` apart, and `/workflows/{owner}/{name}…` likewise. Owner and app are the first two segments of what was sent, before any
 * decoding of the rest, and dot segments are refused, so no spelling of `..` leads to another app.
 *
 * Throws `bad_request` for a path that cannot be read and `app_not_found` when it names no app.
 */
export function parseAppPath(target: string): AppPath {
  const { segments, query } = split(target);
  const [owner, app, path] = segments;
  if (owner === '' || owner.endsWith('/') || app === '') {
    throw new LannerError(
      'app_not_found',
      `The path '${shorten(target)}' names no app. Expected /{owner}/{app}[/{path}].`,
    );
  }
  const [last, ...namespace] = owner.split('/').toReversed();
  return { owner: [...namespace, decodeName(last!)].join('/'), app: decodeName(app), path, query };
}

/**
 * The other reading of a path whose first segment is the legacy id `{digits}-{alias}`: owner `digits`, app `alias`.
 * Null when the path has no such form. To be tried when the ordinary reading finds nothing.
 */
export function parseLegacyAppPath(target: string): AppPath | null {
  const legacy = /^\/(\d+)-([^/?]+)(\/[^?]*)?(\?.*)?$/s.exec(target);
  if (!legacy) return null;
  const [, owner, app, path, query] = legacy;
  assertNoDotSegments(target, path ?? '');
  return { owner: owner!, app: decodeName(app!), path: path ?? '/', query: query ?? '' };
}

function split(target: string): { segments: [owner: string, app: string, path: string]; query: string } {
  if (target.charCodeAt(0) !== 47)
    throw new LannerError('bad_request', `The path '${shorten(target)}' does not begin with '/'.`);
  const queryAt = target.indexOf('?');
  const pathEnd = queryAt === -1 ? target.length : queryAt;
  const query = queryAt === -1 ? '' : target.slice(queryAt);
  const path = queryAt === -1 ? target : target.slice(0, pathEnd);
  assertNoDotSegments(target, path);
  const namespace = /^\/(?:workflows|comfy)(?=\/)/.exec(path)?.[0].length ?? 0;
  const ownerEnd = path.indexOf('/', namespace + 1);
  if (ownerEnd === -1) return { segments: [path.slice(1), '', '/'], query };
  const appEnd = path.indexOf('/', ownerEnd + 1);
  const app = path.slice(ownerEnd + 1, appEnd === -1 ? undefined : appEnd);
  return { segments: [path.slice(1, ownerEnd), app, appEnd === -1 ? '/' : path.slice(appEnd)], query };
}

function assertNoDotSegments(target: string, path: string): void {
  if (!path.includes('.') && !path.includes('%')) return;
  if (dotSegment.test(path)) {
    throw new LannerError(
      'bad_request',
      `The path '${shorten(target)}' contains a '.' or '..' segment. Send the path resolved.`,
    );
  }
}

function decodeName(segment: string): string {
  const decoded = segment.includes('%') ? decodePercent(segment) : segment;
  if (decoded === null || notInName.test(decoded)) {
    throw new LannerError('bad_request', `'${shorten(segment)}' is not a name of an owner or app.`);
  }
  return decoded;
}

function decodePercent(segment: string): string | null {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}

/** For messages; also takes the query off, which may hold a token. */
function shorten(target: string): string {
  const path = target.split('?', 1)[0]!;
  return path.length > 120 ? `${path.slice(0, 120)}…` : path;
}
