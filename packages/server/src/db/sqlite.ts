import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { LannerError } from '@lanner/protocol';
import { diskFull } from '../lib/disk-full.ts';

/** What may be bound to a `?`. Booleans go in as 0 and 1, JSON as text. */
export type SqlValue = null | number | string | Uint8Array;

/** One open connection. Every call blocks the event loop: statements stay under a millisecond, listings are bounded. */
export interface SqlConnection {
  /** First row or undefined. The caller names the row type that its SQL yields. */
  get<Row>(sql: string, ...values: SqlValue[]): Row | undefined;
  all<Row>(sql: string, ...values: SqlValue[]): Row[];
  /** Number of rows that an INSERT, UPDATE or DELETE touched. */
  run(sql: string, ...values: SqlValue[]): number;
}

/** A connection as the database layer itself uses it. Stores get {@link SqlConnection} only. */
export interface SqliteConnection extends SqlConnection {
  /** Several statements, no values: migrations. */
  exec(sql: string): void;
  /** One statement that begins or ends a transaction; parsed once. */
  control(sql: string): void;
  isInTransaction(): boolean;
  close(): void;
}

/** Statements are constants of the source, so a few hundred at most; the bound is a guard against SQL made at run time. */
const maxCachedStatements = 512;

/**
 * Opens an SQLite file, made when missing, with foreign keys enforced. This file is the only one that knows the driver.
 *
 * @param path file, or `:memory:`.
 * @param busyTimeoutMs how long a statement waits for a lock of another process. 0 = fail at once.
 */
export function openSqlite(path: string, busyTimeoutMs: number): SqliteConnection {
  const database = new DatabaseSync(path, { enableForeignKeyConstraints: true, timeout: busyTimeoutMs });

  const statements = new Map<string, StatementSync>();
  const prepare = (sql: string): StatementSync => {
    let statement = statements.get(sql);
    if (statement !== undefined) return statement;
    statement = database.prepare(sql);
    if (statements.size >= maxCachedStatements) statements.clear();
    statements.set(sql, statement);
    return statement;
  };

  return {
    get: <Row>(sql: string, ...values: SqlValue[]) =>
      prepare(sql).get(...(values as SQLInputValue[])) as Row | undefined,
    all: <Row>(sql: string, ...values: SqlValue[]) => prepare(sql).all(...(values as SQLInputValue[])) as Row[],
    run: (sql, ...values) => Number(prepare(sql).run(...(values as SQLInputValue[])).changes),
    exec: (sql) => database.exec(sql),
    control: (sql) => void prepare(sql).run(),
    isInTransaction: () => database.isTransaction,
    close() {
      statements.clear();
      if (database.isOpen) database.close();
    },
  };
}

const sqliteFull = 13;
const sqliteBusy = 5;

/** An error of the driver as callers are told it, where they can do something about it; any other stays as it is. */
export function toDatabaseError(error: unknown): unknown {
  const code = (error as { errcode?: unknown } | null)?.errcode;
  if (typeof code !== 'number') return error;
  // The lower byte is the kind, the rest a detail.
  switch (code & 0xff) {
    case sqliteFull:
      return diskFull(error);
    case sqliteBusy:
      return new LannerError(
        'database_busy',
        'Another program holds the database of this platform, so nothing was stored. End it, then try again.',
        { cause: error },
      );
    default:
      return error;
  }
}

/** The settings durability rests on: a commit is on disk when it returns, and readers never wait for the writer. */
export function useDurableJournal(connection: SqliteConnection): void {
  connection.exec('PRAGMA journal_mode = WAL');
  connection.exec('PRAGMA synchronous = FULL');
  // 16 MB: what is written again and again, the ends of tables and indexes, goes into the file once per checkpoint.
  connection.exec('PRAGMA wal_autocheckpoint = 4000');
}
