import { LannerError, type Clock } from '@lanner/protocol';
import type { KeyStore } from '../auth/key-store.ts';
import { parseAuthorizationHeader, splitKey } from '../auth/parse-credential.ts';
import { effectivePermissions, requirePermission, type Permission } from '../auth/permissions.ts';
import type { Authenticator, Principal } from '../auth/principal.ts';
import { readFileToken } from './file-tokens.ts';
import type { Signer } from './signatures.ts';

/** Tells who stands behind a credential on the hosts of files and key values. */
export interface FileCallers {
  /** Throws what the authenticator throws, and `insufficient_permissions`. */
  require(authorization: string | undefined, permission: Permission): Promise<Principal>;
  /** Null: nobody in particular, also for credentials that are none of ours. */
  identify(authorization: string | undefined): Promise<Principal | null>;
}

/** Keys, and the tokens of `/storage/auth/token`: those end with their key. */
export function createFileCallers(options: {
  authenticator: Pick<Authenticator, 'authenticate'>;
  keys: Pick<KeyStore, 'findWithOwner'>;
  signer: Signer;
  clock: Pick<Clock, 'nowMs'>;
}): FileCallers {
  const authenticate = async (authorization: string | undefined): Promise<Principal> => {
    const presented = parseAuthorizationHeader(authorization);
    if (presented.kind !== 'bearer' || splitKey(presented.token) !== null) {
      return options.authenticator.authenticate(presented);
    }
    const { keyId } = readFileToken(options.signer, options.clock, presented.token);
    const key = await options.keys.findWithOwner(keyId);
    if (key === null) {
      throw new LannerError('unknown_key', 'The key that this token was made with does not exist any more.');
    }
    return {
      accountId: key.accountId,
      nickname: key.nickname,
      keyId,
      permissions: new Set(effectivePermissions(key)),
    };
  };
  return {
    async require(authorization, permission) {
      const principal = await authenticate(authorization);
      requirePermission(principal, permission);
      return principal;
    },
    async identify(authorization) {
      if (authorization === undefined) return null;
      return authenticate(authorization).catch(() => null);
    },
  };
}
