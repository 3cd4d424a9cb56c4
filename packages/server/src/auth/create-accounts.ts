import { randomUUID } from 'node:crypto';
import { LannerError, type Clock } from '@lanner/protocol';
import { findNicknameProblem } from '../lib/nickname.ts';
import type { AccountStore } from './account-store.ts';
import type { Accounts } from './accounts.ts';

/**
 * Accounts over a store. `create` throws `invalid_argument` for a nickname that cannot be an owner in an address, and
 * `already_exists` when it is taken (case does not matter).
 */
export function createAccounts(options: { store: AccountStore; clock: Clock }): Accounts {
  const { store, clock } = options;
  return {
    get: (accountId) => store.find(accountId),
    byNickname: (nickname) => store.findByNickname(nickname),
    list: () => store.list(),
    async create(input) {
      const problem = findNicknameProblem(input.nickname);
      if (problem !== null) {
        throw new LannerError(
          'invalid_argument',
          `The nickname "${input.nickname.slice(0, 100)}" cannot be used: it ${problem}.`,
        );
      }
      const account = await store.insert({ accountId: randomUUID(), createdAtMs: clock.nowMs(), ...input });
      if (account === null) {
        throw new LannerError('already_exists', `The nickname "${input.nickname}" is taken. Choose another.`);
      }
      return account;
    },
  };
}
