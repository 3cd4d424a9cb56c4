-- Webhooks: what is to be delivered, what was tried, and the keys it is signed with. And: how long bodies are kept.

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
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (receiver, next_attempt_at_ms, number) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_by_account ON webhook_deliveries (account_id, number);
CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (ended_at_ms) WHERE ended_at_ms IS NOT NULL;

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

-- `brief`: the caller asked not to keep them (X-Fal-Store-IO: 0).
ALTER TABLE queue_results ADD COLUMN payloads TEXT NOT NULL DEFAULT 'kept' CHECK (payloads IN ('kept', 'brief', 'deleted'));
CREATE INDEX queue_results_kept ON queue_results (ended_at_ms) WHERE payloads = 'kept';
CREATE INDEX queue_results_brief ON queue_results (ended_at_ms) WHERE payloads = 'brief';

-- Blobs nobody refers to any more; removed from disk outside the transaction that let go of them.
CREATE TABLE queue_garbage (
  blob TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
