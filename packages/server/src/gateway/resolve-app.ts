import { LannerError } from '@lanner/protocol';
import { hasPermission } from '../auth/permissions.ts';
import type { Authenticator, PresentedCredential, Principal } from '../auth/principal.ts';
import { allowsApp, allowsCall } from '../auth/token-scope.ts';
import type { Target, Targets } from '../scheduler/dispatcher.ts';
import { parseAppPath, parseLegacyAppPath, type AppPath } from './parse-app-path.ts';

/** What a path stands for. `target` is null when nothing has that name. */
export interface ResolvedApp {
  target: Target | null;
  appPath: AppPath;
}

/** Finds the app that a path names, trying the legacy form last. Throws what `parseAppPath` throws. */
export function resolveApp(targets: Targets, path: string): ResolvedApp {
  const legacyPath = parseLegacyAppPath(path);
  let appPath: AppPath;
  try {
    appPath = parseAppPath(path);
  } catch (error) {
    if (legacyPath === null) throw error;
    return { target: targets.find(legacyPath.owner, legacyPath.app), appPath: legacyPath };
  }
  const target = targets.find(appPath.owner, appPath.app);
  if (target !== null || legacyPath === null) return { target, appPath };
  return { target: targets.find(legacyPath.owner, legacyPath.app), appPath: legacyPath };
}

/** A call that may go on: the app, and who calls (null: nobody in particular, for public apps). */
export interface Admission {
  target: Target;
  principal: Principal | null;
}

/**
 * Who may call what (data-plane 1.6): `public` anyone, `shared` any account, `private` the owner; the last two with a key
 * that may run apps. An app that does not exist and a private app of somebody else get the same answer, with and without
 * credentials, so that nobody can learn which private apps exist. A short-lived token calls the apps that it names, whatever
 * their mode.
 *
 * Throws `missing_credentials`, `malformed_credentials`, `unknown_key`, `invalid_token`, `token_not_for_app`,
 * `insufficient_permissions`, `app_not_found`.
 */
export async function admit(
  { target, appPath }: ResolvedApp,
  presented: PresentedCredential,
  authenticator: Authenticator,
): Promise<Admission> {
  if (target?.authMode === 'public') {
    const principal = await authenticator.authenticateOptional(presented);
    requireTokenFor(appPath, principal);
    return { target, principal };
  }
  const principal = await authenticator.authenticate(presented);
  requireTokenFor(appPath, principal);
  const isOwner = target?.accountId === principal.accountId;
  if (target === null || (target.authMode === 'private' && !isOwner)) {
    throw new LannerError(
      'app_not_found',
      `App '${appPath.owner}/${appPath.app}' was not found. It does not exist, or it is private to another account.`,
    );
  }
  const mayRun =
    (isOwner && hasPermission(principal, 'serverless:apps:run')) ||
    (target.authMode === 'shared' && hasPermission(principal, 'models:requests:submit'));
  if (!mayRun) {
    const needed = isOwner ? 'serverless:apps:run' : 'models:requests:submit';
    throw new LannerError(
      'insufficient_permissions',
      `Insufficient permissions: this key lacks "${needed}". Use a key that has it.`,
    );
  }
  return { target, principal };
}

/** Before it is looked whether the app exists: a token tells nothing of apps that it is not for. */
function requireTokenFor(appPath: AppPath, principal: Principal | null): void {
  if (principal?.allowedApps === undefined) return;
  if (allowsCall(principal.allowedApps, { owner: appPath.owner, app: appPath.app, path: appPath.path })) return;
  throw tokenNotFor(`${appPath.owner}/${appPath.app}${appPath.path}`);
}

/**
 * The same for what is asked about requests that were submitted before.
 * @throws LannerError `token_not_for_app`.
 */
export function requireTokenForRequestsOf(appPath: AppPath, principal: Principal | null): void {
  if (principal?.allowedApps === undefined || allowsApp(principal.allowedApps, appPath)) return;
  throw tokenNotFor(`${appPath.owner}/${appPath.app}`);
}

function tokenNotFor(called: string): LannerError {
  return new LannerError(
    'token_not_for_app',
    `This token is for other apps than '${called}'. Ask for one that names it.`,
  );
}
