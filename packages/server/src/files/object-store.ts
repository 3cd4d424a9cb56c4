import type { Acl } from './acl.ts';

/** An uploaded file, or one that is still to come. */
export interface StoredObject {
  number: number;
  objectId: string;
  accountId: string;
  fileName: string;
  contentType: string;
  acl: Acl | null;
  /** Counted from the moment of storing; null: for ever. */
  lifetimeMs: number | null;
  createdAtMs: number;
  /** Of an open one: when it is given up. Of a stored one: when it is removed; null: never. */
  expiresAtMs: number | null;
  /** Null while it is open. */
  content: ObjectContent | null;
}

/** What is known once the bytes are there. */
export interface ObjectContent {
  sizeBytes: number;
  /** Without quotes. One part: SHA-256 of the bytes. Several: SHA-256 of the parts' digests, `-`, their number. */
  etag: string;
  storedAtMs: number;
}

export type NewObject = Omit<StoredObject, 'number' | 'content'>;

/** Some of the bytes of an object. */
export interface ObjectPart {
  partNumber: number;
  /** Name in the blob store. */
  blob: string;
  sizeBytes: number;
  /** SHA-256 of the bytes, lower-case hex. */
  etag: string;
}

export interface StorageSettings {
  lifetimeMs: number | null;
  acl: Acl | null;
}

/**
 * What is stored of uploaded files. One suite holds for every engine: object-store.conformance.ts.
 *
 * A blob is noted as left over before its first byte is written, and ceases to be so in the transaction that makes it part of an
 * object. It is left over again when its part or object goes. So whatever a crash leaves on disk is known, without a search.
 */
export interface ObjectStore {
  /** An object whose bytes are to come; resolves with its number. */
  insert(object: NewObject): Promise<number>;
  /** An object that is there at once. */
  insertStored(object: NewObject, content: ObjectContent, part: ObjectPart): Promise<number>;
  find(objectId: string): Promise<StoredObject | null>;
  countOpen(accountId: string): Promise<number>;
  /** By number. */
  parts(number: number): Promise<ObjectPart[]>;
  /**
   * Adds or replaces a part of an open object, which is given up later then.
   * @returns false: it is not open any more, and nothing changed.
   */
  putPart(number: number, part: ObjectPart, expiresAtMs: number): Promise<boolean>;
  /**
   * Ends the upload of an open object: of its parts, those named are its bytes, the others are left over.
   * @returns false: it is not open any more, and nothing changed.
   */
  complete(
    number: number,
    partNumbers: readonly number[],
    content: ObjectContent,
    expiresAtMs: number | null,
  ): Promise<boolean>;
  /** Both in one transaction: the whole object in one part. */
  putWhole(number: number, part: ObjectPart, content: ObjectContent, expiresAtMs: number | null): Promise<boolean>;
  setAcl(number: number, acl: Acl | null): Promise<void>;
  /** Its blobs are left over then. Idempotent. */
  remove(number: number): Promise<void>;
  /** Numbers of objects whose time is over, the longest over first. */
  listExpired(nowMs: number, limit: number): Promise<number[]>;

  noteLeftover(blob: string): Promise<void>;
  /** Blobs to delete, with a number to go on after. */
  listLeftovers(afterNumber: number, limit: number): Promise<{ number: number; blob: string }[]>;
  forgetLeftovers(blobs: readonly string[]): Promise<void>;

  settings(accountId: string): Promise<StorageSettings | null>;
  setSettings(accountId: string, settings: StorageSettings): Promise<void>;
}
