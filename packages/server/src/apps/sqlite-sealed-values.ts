import type { Database } from '../db/database.ts';
import type { SqlConnection } from '../db/sqlite.ts';
import type { SealedValue, SealedValues } from './sealed-values.ts';

/** Tables with sealed values: the column, what names a row, and the place each value was sealed for. */
export const sealedColumns = [
  {
    table: 'secrets',
    column: 'sealed_value',
    key: ['account_id', 'environment_name', 'name'],
    toPlace: (names: string[]) => names,
    isReplaceable: false,
  },
  {
    table: 'webhook_keys',
    column: 'sealed_private_key',
    key: ['key_id'],
    toPlace: (names: string[]) => ['webhook key', ...names],
    // One that cannot be opened is withdrawn, and a new one made.
    isReplaceable: true,
  },
] as const;

type SealedColumn = (typeof sealedColumns)[number];

const isRow = ({ key }: SealedColumn): string => key.map((column) => `${column} = ?`).join(' AND ');

function readValue(db: SqlConnection, source: SealedColumn, names: string[]): SealedValue | null {
  const row = db.get<{ sealed: Uint8Array }>(
    `SELECT ${source.column} AS sealed FROM ${source.table} WHERE ${isRow(source)}`,
    ...names,
  );
  return row === undefined ? null : { place: source.toPlace(names), sealed: row.sealed };
}

function listNames(db: SqlConnection, { table, key }: SealedColumn, limit: number): string[][] {
  const rows = db.all<Record<string, string>>(`SELECT ${key.join(', ')} FROM ${table} LIMIT ?`, limit);
  return rows.map((row) => key.map((column) => row[column]!));
}

function findIn(db: SqlConnection, sources: readonly SealedColumn[]): SealedValue | null {
  for (const source of sources) {
    const [names] = listNames(db, source, 1);
    if (names !== undefined) return readValue(db, source, names);
  }
  return null;
}

export function createSqliteSealedValues(database: Database): SealedValues {
  return {
    findAny: () => database.read((db) => findIn(db, sealedColumns)),

    findIrreplaceable: () =>
      database.read((db) =>
        findIn(
          db,
          sealedColumns.filter(({ isReplaceable }) => !isReplaceable),
        ),
      ),

    resealAll: (reseal) =>
      database.write((db) => {
        let count = 0;
        for (const source of sealedColumns) {
          // One value at a time: together they may be larger than the memory.
          for (const names of listNames(db, source, -1)) {
            const value = readValue(db, source, names)!;
            let resealed: Uint8Array;
            try {
              resealed = reseal(value);
            } catch (error) {
              if (!source.isReplaceable) throw error;
              continue;
            }
            db.run(`UPDATE ${source.table} SET ${source.column} = ? WHERE ${isRow(source)}`, resealed, ...names);
            count += 1;
          }
        }
        return count;
      }),
  };
}
