-- The queue. Live requests stay in a small table; what has ended moves to another, so that the cost of a claim does not
-- grow with history. Bodies lie beside, so that a change of state rewrites a small row. Clustered by the order of
-- submission.

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
) STRICT;
