import type { Account } from './accounts.ts';

/** What is stored of accounts. One suite holds for every engine: store.conformance.ts. */
export interface AccountStore {
  /** Inserts the account and its environment `main`, and gives it the next ordinal. null: the nickname is taken. */
  insert(account: Omit<Account, 'ordinal'>): Promise<Account | null>;
  find(accountId: string): Promise<Account | null>;
  /** Case does not matter. */
  findByNickname(nickname: string): Promise<Account | null>;
  /** Oldest first. */
  list(): Promise<Account[]>;
}
