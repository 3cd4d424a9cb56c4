import { createHash } from 'node:crypto';
import type { Principal } from '../auth/principal.ts';

/**
 * What an app learns about its caller (`x-fal-caller-user-id`, data-plane 2.2): the account id for the app's owner, for
 * others a hash that is stable per owner and caller, so that two owners cannot compare notes. Null for anonymous callers.
 */
export function toCallerUserId(ownerAccountId: string, principal: Pick<Principal, 'accountId'> | null): string | null {
  if (principal === null) return null;
  if (principal.accountId === ownerAccountId) return principal.accountId;
  return createHash('sha256').update(`${ownerAccountId}\n${principal.accountId}`).digest('hex').slice(0, 32);
}
