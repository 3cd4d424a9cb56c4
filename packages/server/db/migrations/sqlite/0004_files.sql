-- Files that callers and runners upload (the CDN), settings of them, and the key-value store of apps.

CREATE TABLE objects (
  number INTEGER PRIMARY KEY,
  -- Random, and part of the URL: who knows it may read, unless `acl` says otherwise.
  object_id TEXT NOT NULL UNIQUE,
  account_id TEXT NOT NULL REFERENCES accounts (account_id),
  file_name TEXT NOT NULL,
  content_type TEXT NOT NULL,
  -- `open`: the URL was handed out, the bytes are still to come.
  state TEXT NOT NULL CHECK (state IN ('open', 'stored')),
  size_bytes INTEGER,
  etag TEXT,
  -- JSON; null: everybody may read.
  acl TEXT,
  -- Counted from the moment of storing; null: for ever.
  lifetime_ms INTEGER,
  created_at_ms INTEGER NOT NULL,
  stored_at_ms INTEGER,
  -- Of an open one: when it is given up. Of a stored one: when it is removed.
  expires_at_ms INTEGER
) STRICT;
CREATE INDEX objects_by_expiry ON objects (expires_at_ms) WHERE expires_at_ms IS NOT NULL;
CREATE INDEX objects_open ON objects (account_id) WHERE state = 'open';

-- The bytes of an object are its parts, in the order of their numbers.
CREATE TABLE object_parts (
  object_number INTEGER NOT NULL REFERENCES objects (number),
  part_number INTEGER NOT NULL,
  blob TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  etag TEXT NOT NULL,
  PRIMARY KEY (object_number, part_number)
) STRICT, WITHOUT ROWID;

-- Blobs that no part refers to: being written, or to be deleted. What a crash leaves behind is found here.
CREATE TABLE object_blob_leftovers (
  number INTEGER PRIMARY KEY,
  blob TEXT NOT NULL UNIQUE
) STRICT;

-- What an account wants for uploads that say nothing themselves.
CREATE TABLE storage_settings (
  account_id TEXT PRIMARY KEY REFERENCES accounts (account_id),
  lifetime_ms INTEGER,
  acl TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE key_values (
  number INTEGER PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts (account_id),
  database_name TEXT NOT NULL,
  key_name TEXT NOT NULL,
  value TEXT NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  UNIQUE (account_id, database_name, key_name)
) STRICT;
CREATE INDEX key_values_by_expiry ON key_values (expires_at_ms);
