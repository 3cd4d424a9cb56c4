import type { IncomingHttpHeaders } from 'node:http';
import type { Authenticator } from '../auth/principal.ts';
import type { Dispatcher, Slot } from '../scheduler/dispatcher.ts';
import { headerText } from './header-text.ts';
import { readCredential } from './read-credential.ts';
import { admit, type Admission, type ResolvedApp } from './resolve-app.ts';
import { readStartTimeoutSeconds } from './start-deadline.ts';

/** What every way to call an app knows about a call that may go on. */
export interface AdmittedCall extends Admission {
  /** What the app sees, without the query. */
  path: string;
  /** With its question mark, as the caller sent it; a token in it included. */
  query: string;
  /** Within which a runner must take the call; null: as long as it takes. */
  startSeconds: number | null;
  hint: string | undefined;
}

/**
 * The beginning of every call of an app, whatever carries it: who calls, whether they may, and how long they wait for a runner.
 *
 * @throws LannerError what `admit` and `readStartTimeoutSeconds` throw.
 */
export async function admitCall(
  resolved: ResolvedApp,
  headers: IncomingHttpHeaders,
  authenticator: Authenticator,
): Promise<AdmittedCall> {
  const { path, query } = resolved.appPath;
  const admission = await admit(resolved, readCredential(headers, query), authenticator);
  const { target, principal } = admission;
  return {
    ...{ target, principal, path, query },
    startSeconds: readStartTimeoutSeconds(headerText(headers, 'x-fal-request-timeout'), target, principal),
    hint: headerText(headers, 'x-fal-runner-hint'),
  };
}

/**
 * A slot for an admitted call that waits on its connection.
 *
 * @param wait.startedAtMs monotonic; the start deadline counts from there.
 * @throws LannerError what `Dispatcher.acquire` throws.
 */
export function acquireSlot(
  dispatcher: Dispatcher,
  { target, principal, startSeconds, hint }: AdmittedCall,
  wait: { requestId: string; startedAtMs: number; signal: AbortSignal },
): Promise<Slot> {
  return dispatcher.acquire({
    targetId: target.targetId,
    signal: wait.signal,
    startDeadlineMs: startSeconds === null ? null : wait.startedAtMs + startSeconds * 1000,
    ...(hint === undefined ? {} : { hint }),
    caller: { requestId: wait.requestId, accountId: principal?.accountId ?? null },
  });
}
