import type { AnyRequest, Origin } from '../ports/route.ts';
import { hopByHopHeaders, namesInConnection } from './hop-by-hop.ts';

/** Facts that the gateway adds to a request (data-plane 2.2). */
export interface RunnerRequestFacts {
  requestId: string;
  /** `owner/app/path`. */
  endpoint: string;
  callerUserId: string | null;
  origin: Origin;
}

/** Sent when the caller said nothing: keep what the app makes. Apps insist on a JSON value that is not null. */
const defaultLifecyclePreference = '{"expiration_duration_seconds":null}';

const lifecyclePreferenceName = 'x-fal-object-lifecycle-preference';

/** Of the reserved `x-fal-` space, the ones that callers may set and apps get (data-plane 2.6, 3.2). */
const passedReserved: ReadonlySet<string> = new Set(['x-fal-cdn-token']);

/** Set by the gateway itself, kept for itself, or belonging to one connection. */
const dropped: ReadonlySet<string> = new Set([
  ...hopByHopHeaders,
  'authorization',
  'expect',
  'forwarded',
  'host',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-forwarded-proto',
  'x-forwarded-server',
  'x-real-ip',
]);

/** What becomes of a header, by its name as written; bounded, so that callers cannot grow it. */
const fates = new Map<string, boolean>();
const knownNamesLimit = 512;

/**
 * The headers a runner gets, as a flat list. The caller's own headers pass unchanged and in order, except: hop-by-hop ones and
 * those named in `Connection`, the caller's credential, the reserved `x-fal-` names, HTTP/2 pseudo headers, and forwarding
 * claims, which are replaced by what the gateway has seen itself. `Host` stays the one that the caller used, so that
 * redirects an app makes lead back here.
 */
export function toRunnerHeaders(request: AnyRequest, facts: RunnerRequestFacts): string[] {
  const host = request.headers[':authority'] ?? request.headers.host;
  const headers: string[] = [];
  if (typeof host === 'string' && host !== '') headers.push('host', host, 'x-forwarded-host', host);
  const named = namesInConnection(request.headers.connection);
  const raw = request.rawHeaders;
  let cookieAt = -1;
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index]!;
    if (!isForwarded(name)) continue;
    if (named !== null && named.has(name.toLowerCase())) continue;
    if (name === 'cookie') {
      // HTTP/2 may split cookies over several fields; HTTP/1.1 knows only one.
      if (cookieAt !== -1) {
        headers[cookieAt] += `; ${raw[index + 1]!}`;
        continue;
      }
      cookieAt = headers.length + 1;
    }
    headers.push(name, raw[index + 1]!);
  }
  headers.push(
    'x-fal-request-id',
    facts.requestId,
    'x-fal-endpoint',
    facts.endpoint,
    lifecyclePreferenceName,
    toLifecyclePreference(request.headers[lifecyclePreferenceName]),
    'x-forwarded-for',
    request.socket?.remoteAddress ?? 'unknown',
    'x-forwarded-proto',
    facts.origin.scheme,
  );
  if (facts.callerUserId !== null) headers.push('x-fal-caller-user-id', facts.callerUserId);
  return headers;
}

function isForwarded(name: string): boolean {
  const known = fates.get(name);
  if (known !== undefined) return known;
  const lower = name.toLowerCase();
  const forwarded =
    !lower.startsWith(':') && !dropped.has(lower) && (!lower.startsWith('x-fal-') || passedReserved.has(lower));
  if (fates.size < knownNamesLimit) fates.set(name, forwarded);
  return forwarded;
}

/** The caller's preference when it is a JSON object, else the default. */
function toLifecyclePreference(sent: string | string[] | undefined): string {
  if (typeof sent !== 'string') return defaultLifecyclePreference;
  try {
    const value: unknown = JSON.parse(sent);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? sent : defaultLifecyclePreference;
  } catch {
    return defaultLifecyclePreference;
  }
}
