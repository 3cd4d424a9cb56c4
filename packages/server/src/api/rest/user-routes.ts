import { LannerError } from '@lanner/protocol';
import type { Account } from '../../auth/accounts.ts';
import type { RestDeps } from './rest-deps.ts';
import type { RestContext, RestRoute } from './rest-route.ts';

/** Who a key belongs to. */
export function createUserRoutes(deps: Pick<RestDeps, 'accounts'>): RestRoute[] {
  const accountOf = async (context: RestContext): Promise<Account> => {
    const account = await deps.accounts.get(context.var.principal.accountId);
    if (account === null) throw new LannerError('not_found', 'The account of this key was not found.');
    return account;
  };

  return [
    {
      method: 'GET',
      path: '/users/current',
      async handle(context) {
        const account = await accountOf(context);
        return context.json({
          full_name: account.fullName,
          nickname: account.nickname,
          user_id: account.accountId,
          is_personal: account.isPersonal,
          is_locked: false,
          lock_reason: null,
          members: [],
          is_paying: true,
        });
      },
    },
    {
      method: 'GET',
      path: '/users/teams',
      async handle(context) {
        const account = await accountOf(context);
        // A key belongs to one account, so the list has one entry; clients need one that counts as personal.
        return context.json([
          {
            nickname: account.nickname,
            full_name: account.fullName,
            user_id: account.accountId,
            is_personal: true,
            is_org: false,
            lock_reason: null,
          },
        ]);
      },
    },
  ];
}
