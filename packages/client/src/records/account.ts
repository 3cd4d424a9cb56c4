import { ServerError } from '../errors/client-error.ts';

/**
 * An account a login may act for, or the one a key belongs to.
 *
 * @example
 * ```ts
 * const account: AccountInfo = await client.accounts.current();
 * console.log(account.nickname, account.isOrg);
 * ```
 */
export interface AccountInfo {
  /** The first part of app ids: `nickname/app`. */
  nickname: string;
  fullName: string;
  userId: string;
  isPersonal: boolean;
  isOrg: boolean;
  /** Why the account is locked; `null` when it is not. */
  lockReason: string | null;
  /** Everything the platform tells about it, as sent. */
  fields: Record<string, unknown>;
}

/** An account as `/users/current` and `/users/teams` send it. */
export function parseAccount(value: unknown): AccountInfo {
  const record = value as Record<string, unknown> | null;
  if (typeof record !== 'object' || typeof record?.['nickname'] !== 'string') {
    throw new ServerError('unexpected_answer', 'The server described an account without a nickname.', {
      advice: 'Is this a Lanner or fal server? Check the host.',
    });
  }
  return {
    nickname: record['nickname'],
    fullName: typeof record['full_name'] === 'string' ? record['full_name'] : record['nickname'],
    userId: typeof record['user_id'] === 'string' ? record['user_id'] : '',
    isPersonal: record['is_personal'] === true,
    isOrg: record['is_org'] === true,
    lockReason: typeof record['lock_reason'] === 'string' ? record['lock_reason'] : null,
    fields: record,
  };
}

export function parseTeams(value: unknown): AccountInfo[] {
  if (!Array.isArray(value)) throw new ServerError('unexpected_answer', 'The server sent no list of accounts.');
  return value.map(parseAccount);
}
