import { accountUid } from '@lanner/protocol';
import type { Accounts } from '../../auth/accounts.ts';
import type { RunnerDriver } from '../../runners/runner-driver.ts';
import type { Owner } from './folder.ts';

/**
 * Whom the files of an account have to belong to, so that its runners can change them. The supervisor says whether accounts
 * have users of their own; it is asked until it answered once, because that does not change on a machine.
 */
export function createVolumeOwners(options: {
  driver: Pick<RunnerDriver, 'status'>;
  accounts: Pick<Accounts, 'get'>;
  /** Default: whether this process is root's. */
  isRoot?: boolean;
}): (accountId: string) => Promise<Owner | null> {
  const isRoot = options.isRoot ?? process.getuid?.() === 0;
  let hasOwnUids: boolean | null = isRoot ? null : false;
  return async (accountId) => {
    if (hasOwnUids === null) {
      const { isolation } = await options.driver.status();
      hasOwnUids = isolation.ownUids ?? isolation.level === 'namespaces';
    }
    if (!hasOwnUids) return null;
    const account = await options.accounts.get(accountId);
    if (account === null) return null;
    const uid = accountUid(account.ordinal);
    return { uid, gid: uid };
  };
}
