import { LannerError } from '@lanner/protocol';
import type { RestContext } from './rest-route.ts';

/**
 * Refuses everybody but the account this installation was made with: what lies behind concerns all accounts.
 * @throws LannerError `insufficient_permissions`.
 */
export function requireOperator({ operatorAccountId }: { operatorAccountId: string }, context: RestContext): void {
  if (context.var.principal.accountId === operatorAccountId) return;
  throw new LannerError(
    'insufficient_permissions',
    'Insufficient permissions: this belongs to the operator of the platform. Use a key of the first account.',
  );
}
