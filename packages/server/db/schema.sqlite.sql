-- Generated from the migrations; do not edit. Renew: node packages/server/db/write-schema.ts

CREATE TABLE accounts (
  -- AUTOINCREMENT: a number is never used twice, supervisors derive user ids from it.
  ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id TEXT NOT NULL UNIQUE,
  -- Clients compare nicknames without regard to case.
  nickname TEXT NOT NULL UNIQUE COLLATE NOCASE,
  full_name TEXT NOT NULL,
  is_personal INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE aliases (
  number INTEGER PRIMARY KEY,
  account_id TEXT NOT NULL,
  -- The full public name, `--environment` included.
  alias_name TEXT NOT NULL,
  environment_name TEXT NOT NULL,
  revision_id TEXT NOT NULL REFERENCES revisions (revision_id),
  auth_mode TEXT NOT NULL CHECK (auth_mode IN ('private', 'public', 'shared')),
  settings TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL,
  UNIQUE (account_id, alias_name),
  FOREIGN KEY (account_id, environment_name) REFERENCES environments (account_id, name)
) STRICT;

CREATE INDEX aliases_by_environment ON aliases (account_id, environment_name, alias_name);

CREATE INDEX aliases_by_revision ON aliases (revision_id);

CREATE TABLE app_files (
  account_id TEXT NOT NULL REFERENCES accounts (account_id),
  hash TEXT NOT NULL,
  -- st_mode of the file as the client sent it; part of the hash.
  mode INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL, used_at_ms INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (account_id, hash)
) STRICT, WITHOUT ROWID;

CREATE INDEX app_files_by_hash ON app_files (hash);

CREATE INDEX app_files_by_use ON app_files (used_at_ms);

CREATE TABLE environments (
  account_id TEXT NOT NULL REFERENCES accounts (account_id),
  name TEXT NOT NULL,
  description TEXT,
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (account_id, name)
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

CREATE TABLE keys (
  number INTEGER PRIMARY KEY,
  key_id TEXT NOT NULL UNIQUE,
  account_id TEXT NOT NULL REFERENCES accounts (account_id),
  -- SHA-256 of the secret: 192 random bits need no slow hash.
  secret_hash BLOB NOT NULL,
  description TEXT NOT NULL,
  -- Null: a custom list of permissions.
  preset TEXT,
  -- JSON list. For presets the list is what the preset meant at creation; the preset's name decides.
  permissions TEXT NOT NULL,
  -- Null: a person's key. Otherwise the key of one runner, hidden from listings.
  runner_id TEXT,
  created_at_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX keys_by_account ON keys (account_id, number);

CREATE INDEX keys_by_runner ON keys (runner_id) WHERE runner_id IS NOT NULL;

CREATE TABLE object_blob_leftovers (
  number INTEGER PRIMARY KEY,
  blob TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE object_parts (
  object_number INTEGER NOT NULL REFERENCES objects (number),
  part_number INTEGER NOT NULL,
  blob TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  etag TEXT NOT NULL,
  PRIMARY KEY (object_number, part_number)
) STRICT, WITHOUT ROWID;

CREATE INDEX object_parts_by_blob ON object_parts (blob);

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

CREATE TABLE queue_garbage (
  blob TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE queue_inputs (
  number INTEGER PRIMARY KEY,
  method TEXT NOT NULL,
  path TEXT NOT NULL,
  -- JSON: name, value, name, value …
  headers TEXT NOT NULL,
  body BLOB,
  -- Name of the blob that holds a large body.
  body_blob TEXT,
  body_bytes INTEGER NOT NULL
) STRICT;

CREATE INDEX queue_inputs_by_blob ON queue_inputs (body_blob) WHERE body_blob IS NOT NULL;

CREATE TABLE queue_requests (
  -- AUTOINCREMENT: a number is never used twice, results are stored under it.
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  request_id TEXT NOT NULL UNIQUE,
  -- Owner of the app.
  account_id TEXT NOT NULL,
  -- `owner/app--environment`, as callers write it.
  app_id TEXT NOT NULL,
  target_id TEXT NOT NULL,
  -- Null: an anonymous caller.
  caller_account_id TEXT,
  -- 0 normal, 1 low.
  priority INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'running')),
  -- Of the latest attempt: nobody but its holder ends it.
  lease TEXT,
  runner_id TEXT,
  -- Which supervisor executes it.
  generation TEXT,
  attempts INTEGER NOT NULL,
  started_at_ms INTEGER,
  -- Waits at least until then: backoff.
  not_before_ms INTEGER NOT NULL,
  -- Ends unless it is running by then.
  start_deadline_ms INTEGER,
  cancel_requested INTEGER NOT NULL,
  -- JSON: hint, retry rules, spent retries, whether input and output are kept.
  options TEXT NOT NULL,
  submitted_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE queue_results (
  number INTEGER PRIMARY KEY,
  request_id TEXT NOT NULL UNIQUE,
  account_id TEXT NOT NULL,
  app_id TEXT NOT NULL,
  caller_account_id TEXT,
  status INTEGER NOT NULL,
  headers TEXT NOT NULL,
  body BLOB,
  body_blob TEXT,
  body_bytes INTEGER NOT NULL,
  error TEXT,
  error_type TEXT,
  runner_id TEXT,
  attempts INTEGER NOT NULL,
  started_at_ms INTEGER,
  inference_ms REAL,
  submitted_at_ms INTEGER NOT NULL,
  ended_at_ms INTEGER NOT NULL
, payloads TEXT NOT NULL DEFAULT 'kept' CHECK (payloads IN ('kept', 'brief', 'deleted'))) STRICT;

CREATE INDEX queue_results_brief ON queue_results (ended_at_ms) WHERE payloads = 'brief';

CREATE INDEX queue_results_by_blob ON queue_results (body_blob) WHERE body_blob IS NOT NULL;

CREATE INDEX queue_results_kept ON queue_results (ended_at_ms) WHERE payloads = 'kept';

CREATE TABLE revision_blobs (
  -- A pickled callable, its setup, or an app file.
  blob TEXT NOT NULL,
  revision_number INTEGER NOT NULL REFERENCES revisions (number) ON DELETE CASCADE,
  PRIMARY KEY (blob, revision_number)
) STRICT, WITHOUT ROWID;

CREATE INDEX revision_blobs_by_revision ON revision_blobs (revision_number);

CREATE TABLE revisions (
  number INTEGER PRIMARY KEY,
  revision_id TEXT NOT NULL UNIQUE,
  account_id TEXT NOT NULL,
  environment_name TEXT NOT NULL,
  alias_name TEXT,
  -- JSON of CodeSpec and ScaleSettings: read and written whole, never searched.
  code TEXT NOT NULL,
  settings TEXT NOT NULL,
  metadata TEXT,
  source_code TEXT,
  private_logs INTEGER NOT NULL,
  skip_retry_conditions TEXT NOT NULL,
  retry_config TEXT,
  created_at_ms INTEGER NOT NULL,
  FOREIGN KEY (account_id, environment_name) REFERENCES environments (account_id, name)
) STRICT;

CREATE INDEX revisions_by_environment ON revisions (account_id, environment_name, number);

CREATE TABLE runners (
  number INTEGER PRIMARY KEY,
  runner_id TEXT NOT NULL UNIQUE,
  account_id TEXT NOT NULL REFERENCES accounts (account_id),
  environment_name TEXT NOT NULL,
  -- Null for a run of a command: it has a name, and no alias.
  alias_id TEXT,
  alias_name TEXT NOT NULL,
  revision_id TEXT NOT NULL,
  machine_type TEXT NOT NULL,
  start_reason TEXT NOT NULL,
  started_at_ms INTEGER NOT NULL,
  -- Null while it lives.
  ended_at_ms INTEGER,
  end_reason TEXT,
  was_replaced INTEGER NOT NULL DEFAULT 0,
  CHECK ((ended_at_ms IS NULL) = (end_reason IS NULL))
) STRICT;

CREATE INDEX runners_ended ON runners (ended_at_ms) WHERE ended_at_ms IS NOT NULL;

CREATE INDEX runners_ended_by_account ON runners (account_id, ended_at_ms) WHERE ended_at_ms IS NOT NULL;

CREATE INDEX runners_live ON runners (number) WHERE ended_at_ms IS NULL;

CREATE TABLE schema_migrations (
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL,
    applied_at_ms INTEGER NOT NULL
  ) STRICT;

CREATE TABLE secrets (
  account_id TEXT NOT NULL,
  environment_name TEXT NOT NULL,
  name TEXT NOT NULL,
  -- AES-256-GCM; the key lies outside the database.
  sealed_value BLOB NOT NULL,
  -- Null: the account's default, which is exposed.
  default_exposed INTEGER,
  created_at_ms INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL,
  PRIMARY KEY (account_id, environment_name, name),
  FOREIGN KEY (account_id, environment_name) REFERENCES environments (account_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE storage_settings (
  account_id TEXT PRIMARY KEY REFERENCES accounts (account_id),
  lifetime_ms INTEGER,
  acl TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE webhook_attempts (
  delivery_number INTEGER NOT NULL REFERENCES webhook_deliveries (number) ON DELETE CASCADE,
  attempt INTEGER NOT NULL,
  started_at_ms INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  -- Null: no answer.
  status INTEGER,
  -- Short code of what went wrong; null when it was accepted.
  error TEXT,
  PRIMARY KEY (delivery_number, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE webhook_deliveries (
  -- AUTOINCREMENT: a number is never used twice, attempts are stored under it.
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  request_id TEXT NOT NULL UNIQUE,
  -- The submitter; for an anonymous one the app's owner. Its id is signed, and only it sees the delivery.
  account_id TEXT NOT NULL,
  app_id TEXT NOT NULL,
  -- Of the last attempt at the app.
  gateway_request_id TEXT NOT NULL,
  url TEXT NOT NULL,
  -- `host:port` of the URL. Receivers are served side by side.
  receiver TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
  attempts INTEGER NOT NULL,
  -- Those before the latest replay: each replay has a budget of its own.
  attempts_before INTEGER NOT NULL,
  next_attempt_at_ms INTEGER NOT NULL,
  -- When it was created or replayed: the horizon of retries counts from here.
  begun_at_ms INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL,
  -- Null while pending.
  ended_at_ms INTEGER
) STRICT;

CREATE INDEX webhook_deliveries_by_account ON webhook_deliveries (account_id, number);

CREATE INDEX webhook_deliveries_by_state ON webhook_deliveries (account_id, state, number);

CREATE INDEX webhook_deliveries_due ON webhook_deliveries (receiver, next_attempt_at_ms, number) WHERE state = 'pending';

CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (ended_at_ms) WHERE ended_at_ms IS NOT NULL;

CREATE INDEX webhook_deliveries_pending ON webhook_deliveries (number) WHERE state = 'pending';

CREATE TABLE webhook_keys (
  number INTEGER PRIMARY KEY,
  key_id TEXT NOT NULL UNIQUE,
  -- Member `x` of the JWK.
  public_key TEXT NOT NULL,
  -- AES-256-GCM, as secrets are.
  sealed_private_key BLOB NOT NULL,
  created_at_ms INTEGER NOT NULL,
  -- Receivers keep the key set for up to a day: a key is published that long before it signs.
  signs_from_ms INTEGER NOT NULL,
  -- Null: no end in sight.
  published_until_ms INTEGER
) STRICT;

CREATE TABLE workflow_versions (
  workflow_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  -- JSON.
  contents TEXT NOT NULL,
  -- When another version took its place, or the workflow was deleted.
  superseded_at_ms INTEGER,
  PRIMARY KEY (workflow_id, version)
) STRICT, WITHOUT ROWID;

CREATE INDEX workflow_versions_superseded ON workflow_versions (superseded_at_ms) WHERE superseded_at_ms IS NOT NULL;

CREATE TABLE workflows (
  workflow_id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts (account_id),
  -- `workflow`, or `comfy` for a ComfyUI graph.
  kind TEXT NOT NULL CHECK (kind IN ('workflow', 'comfy')),
  name TEXT NOT NULL,
  title TEXT NOT NULL,
  is_public INTEGER NOT NULL,
  version INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL,
  UNIQUE (account_id, kind, name)
) STRICT;
