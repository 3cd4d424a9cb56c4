-- Workflows: a name points to its newest version. Versions never change, and older ones stay for a while, because a run
-- that began with one goes on with it after a restart.

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
