import type { AllowedApps } from './token-scope.ts';

/** Who makes a call, after authentication. */
export interface Principal {
  accountId: string;
  nickname: string;
  /** The key used; runner keys belong to a runner and are hidden from listings. */
  keyId: string;
  /** Permission names the key holds; see permissions.ts. `*` is everything. */
  permissions: ReadonlySet<string>;
  /** Set when a short-lived token was used: the apps it is for, and nothing else. */
  allowedApps?: AllowedApps;
}

/** Parts of a credential as a client sent it, not yet checked. */
export type PresentedCredential =
  | { kind: 'none' }
  | { kind: 'key'; keyId: string; keySecret: string }
  | { kind: 'bearer'; token: string }
  /** Something was sent that cannot be read; `message` is told to the caller. */
  | { kind: 'malformed'; message: string };

/** Checks credentials. Cached in memory; revocation clears the cache at once through the change feed. */
export interface Authenticator {
  /** Throws `missing_credentials`, `malformed_credentials` or `unknown_key`. */
  authenticate(presented: PresentedCredential): Promise<Principal>;
  /** The same without throwing for `none`: public apps are called without credentials. */
  authenticateOptional(presented: PresentedCredential): Promise<Principal | null>;
}
