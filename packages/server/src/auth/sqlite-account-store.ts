import type { Database } from '../db/database.ts';
import type { AccountStore } from './account-store.ts';
import type { Account } from './accounts.ts';

interface AccountRow {
  ordinal: number;
  account_id: string;
  nickname: string;
  full_name: string;
  is_personal: number;
  created_at_ms: number;
}

const columns = 'ordinal, account_id, nickname, full_name, is_personal, created_at_ms';

export function createSqliteAccountStore(database: Database): AccountStore {
  return {
    insert: (account) =>
      database.write((db) => {
        const row = db.get<AccountRow>(
          `INSERT INTO accounts (account_id, nickname, full_name, is_personal, created_at_ms) VALUES (?, ?, ?, ?, ?)
           ON CONFLICT (nickname) DO NOTHING
           RETURNING ${columns}`,
          account.accountId,
          account.nickname,
          account.fullName,
          account.isPersonal ? 1 : 0,
          account.createdAtMs,
        );
        if (row === undefined) return null;
        db.run(
          `INSERT INTO environments (account_id, name, description, created_at_ms) VALUES (?, 'main', NULL, ?)`,
          account.accountId,
          account.createdAtMs,
        );
        return toAccount(row);
      }),

    find: (accountId) =>
      database.read((db) => {
        const row = db.get<AccountRow>(`SELECT ${columns} FROM accounts WHERE account_id = ?`, accountId);
        return row === undefined ? null : toAccount(row);
      }),

    findByNickname: (nickname) =>
      database.read((db) => {
        const row = db.get<AccountRow>(`SELECT ${columns} FROM accounts WHERE nickname = ?`, nickname);
        return row === undefined ? null : toAccount(row);
      }),

    list: () =>
      database.read((db) => db.all<AccountRow>(`SELECT ${columns} FROM accounts ORDER BY ordinal`).map(toAccount)),
  };
}

function toAccount(row: AccountRow): Account {
  return {
    accountId: row.account_id,
    nickname: row.nickname,
    fullName: row.full_name,
    isPersonal: row.is_personal === 1,
    createdAtMs: row.created_at_ms,
    ordinal: row.ordinal,
  };
}
