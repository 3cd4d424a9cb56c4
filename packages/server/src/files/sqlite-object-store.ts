import type { Database } from '../db/database.ts';
import type { SqlConnection } from '../db/sqlite.ts';
import type { Acl } from './acl.ts';
import type { NewObject, ObjectContent, ObjectPart, ObjectStore, StoredObject } from './object-store.ts';

interface ObjectRow {
  number: number;
  object_id: string;
  account_id: string;
  file_name: string;
  content_type: string;
  size_bytes: number | null;
  etag: string | null;
  acl: string | null;
  lifetime_ms: number | null;
  created_at_ms: number;
  stored_at_ms: number | null;
  expires_at_ms: number | null;
}

interface PartRow {
  part_number: number;
  blob: string;
  size_bytes: number;
  etag: string;
}

export function createSqliteObjectStore(database: Database): ObjectStore {
  return {
    insert: (object) => database.write((db) => insertObject(db, object, null)),

    insertStored: (object, content, part) =>
      database.write((db) => {
        const number = insertObject(db, object, content);
        insertPart(db, number, part);
        return number;
      }),

    find: (objectId) =>
      database.read((db) => {
        const row = db.get<ObjectRow>('SELECT * FROM objects WHERE object_id = ?', objectId);
        return row === undefined ? null : toObject(row);
      }),

    countOpen: (accountId) =>
      database.read(
        (db) =>
          db.get<{ count: number }>(
            "SELECT count(*) AS count FROM objects WHERE account_id = ? AND state = 'open'",
            accountId,
          )!.count,
      ),

    parts: (number) => database.read((db) => listParts(db, number)),

    putPart: (number, part, expiresAtMs) =>
      database.write((db) => {
        const changed = db.run(
          "UPDATE objects SET expires_at_ms = ? WHERE number = ? AND state = 'open'",
          expiresAtMs,
          number,
        );
        if (changed === 1) replacePart(db, number, part);
        return changed === 1;
      }),

    complete: (number, partNumbers, content, expiresAtMs) =>
      database.write((db) => {
        if (!store(db, number, content, expiresAtMs)) return false;
        leaveParts(db, number, partNumbers);
        return true;
      }),

    putWhole: (number, part, content, expiresAtMs) =>
      database.write((db) => {
        if (!store(db, number, content, expiresAtMs)) return false;
        replacePart(db, number, part);
        leaveParts(db, number, [part.partNumber]);
        return true;
      }),

    setAcl: (number, acl) =>
      database.write((db) => void db.run('UPDATE objects SET acl = ? WHERE number = ?', toJson(acl), number)),

    remove: (number) =>
      database.write((db) => {
        leaveParts(db, number, []);
        db.run('DELETE FROM objects WHERE number = ?', number);
      }),

    listExpired: (nowMs, limit) =>
      database.read((db) =>
        db
          .all<{ number: number }>(
            'SELECT number FROM objects WHERE expires_at_ms <= ? ORDER BY expires_at_ms LIMIT ?',
            nowMs,
            limit,
          )
          .map((row) => row.number),
      ),

    noteLeftover: (blob) => database.write((db) => leave(db, blob)),

    listLeftovers: (afterNumber, limit) =>
      database.read((db) =>
        db.all<{ number: number; blob: string }>(
          'SELECT number, blob FROM object_blob_leftovers WHERE number > ? ORDER BY number LIMIT ?',
          afterNumber,
          limit,
        ),
      ),

    forgetLeftovers: (blobs) =>
      database.write((db) => {
        for (const blob of blobs) db.run('DELETE FROM object_blob_leftovers WHERE blob = ?', blob);
      }),

    settings: (accountId) =>
      database.read((db) => {
        const row = db.get<{ lifetime_ms: number | null; acl: string | null }>(
          'SELECT lifetime_ms, acl FROM storage_settings WHERE account_id = ?',
          accountId,
        );
        return row === undefined ? null : { lifetimeMs: row.lifetime_ms, acl: fromJson(row.acl) };
      }),

    setSettings: (accountId, { lifetimeMs, acl }) =>
      database.write((db) => {
        db.run(
          `INSERT INTO storage_settings (account_id, lifetime_ms, acl) VALUES (?, ?, ?)
           ON CONFLICT (account_id) DO UPDATE SET lifetime_ms = excluded.lifetime_ms, acl = excluded.acl`,
          accountId,
          lifetimeMs,
          toJson(acl),
        );
      }),
  };
}

function insertObject(db: SqlConnection, object: NewObject, content: ObjectContent | null): number {
  return db.get<{ number: number }>(
    `INSERT INTO objects (object_id, account_id, file_name, content_type, state, size_bytes, etag, acl, lifetime_ms,
       created_at_ms, stored_at_ms, expires_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING number`,
    object.objectId,
    object.accountId,
    object.fileName,
    object.contentType,
    content === null ? 'open' : 'stored',
    content?.sizeBytes ?? null,
    content?.etag ?? null,
    toJson(object.acl),
    object.lifetimeMs,
    object.createdAtMs,
    content?.storedAtMs ?? null,
    object.expiresAtMs,
  )!.number;
}

/** open → stored; the one place of this change. */
function store(db: SqlConnection, number: number, content: ObjectContent, expiresAtMs: number | null): boolean {
  return (
    db.run(
      `UPDATE objects SET state = 'stored', size_bytes = ?, etag = ?, stored_at_ms = ?, expires_at_ms = ?
       WHERE number = ? AND state = 'open'`,
      content.sizeBytes,
      content.etag,
      content.storedAtMs,
      expiresAtMs,
      number,
    ) === 1
  );
}

function replacePart(db: SqlConnection, number: number, part: ObjectPart): void {
  const old = db.get<{ blob: string }>(
    'DELETE FROM object_parts WHERE object_number = ? AND part_number = ? RETURNING blob',
    number,
    part.partNumber,
  );
  if (old !== undefined) leave(db, old.blob);
  insertPart(db, number, part);
}

function insertPart(db: SqlConnection, number: number, part: ObjectPart): void {
  db.run(
    'INSERT INTO object_parts (object_number, part_number, blob, size_bytes, etag) VALUES (?, ?, ?, ?, ?)',
    number,
    part.partNumber,
    part.blob,
    part.sizeBytes,
    part.etag,
  );
  db.run('DELETE FROM object_blob_leftovers WHERE blob = ?', part.blob);
}

/** Takes all parts but some away from an object. */
function leaveParts(db: SqlConnection, number: number, keptPartNumbers: readonly number[]): void {
  const gone = db.all<{ blob: string }>(
    `DELETE FROM object_parts WHERE object_number = ? AND part_number NOT IN (SELECT value FROM json_each(?))
     RETURNING blob`,
    number,
    JSON.stringify(keptPartNumbers),
  );
  for (const { blob } of gone) leave(db, blob);
}

function leave(db: SqlConnection, blob: string): void {
  db.run('INSERT INTO object_blob_leftovers (blob) VALUES (?) ON CONFLICT (blob) DO NOTHING', blob);
}

function listParts(db: SqlConnection, number: number): ObjectPart[] {
  return db
    .all<PartRow>(
      'SELECT part_number, blob, size_bytes, etag FROM object_parts WHERE object_number = ? ORDER BY part_number',
      number,
    )
    .map((row) => ({ partNumber: row.part_number, blob: row.blob, sizeBytes: row.size_bytes, etag: row.etag }));
}

function toObject(row: ObjectRow): StoredObject {
  return {
    number: row.number,
    objectId: row.object_id,
    accountId: row.account_id,
    fileName: row.file_name,
    contentType: row.content_type,
    acl: fromJson(row.acl),
    lifetimeMs: row.lifetime_ms,
    createdAtMs: row.created_at_ms,
    expiresAtMs: row.expires_at_ms,
    content:
      row.size_bytes === null || row.etag === null || row.stored_at_ms === null
        ? null
        : { sizeBytes: row.size_bytes, etag: row.etag, storedAtMs: row.stored_at_ms },
  };
}

const toJson = (acl: Acl | null): string | null => (acl === null ? null : JSON.stringify(acl));
const fromJson = (text: string | null): Acl | null => (text === null ? null : (JSON.parse(text) as Acl));
