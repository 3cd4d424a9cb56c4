/** A user or team. The nickname is the `owner` in every public app id. */
export interface Account {
  accountId: string;
  nickname: string;
  fullName: string;
  isPersonal: boolean;
  createdAtMs: number;
  /** Small number, unique per account: supervisors derive the account's uid from it. */
  ordinal: number;
}

export interface Accounts {
  get(accountId: string): Promise<Account | null>;
  byNickname(nickname: string): Promise<Account | null>;
  list(): Promise<Account[]>;
  create(input: { nickname: string; fullName: string; isPersonal: boolean }): Promise<Account>;
}
