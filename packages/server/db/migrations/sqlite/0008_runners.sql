-- Runners, live and ended: listings show those that are over for a day, also after a restart.

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
CREATE INDEX runners_live ON runners (number) WHERE ended_at_ms IS NULL;
CREATE INDEX runners_ended ON runners (ended_at_ms) WHERE ended_at_ms IS NOT NULL;
CREATE INDEX runners_ended_by_account ON runners (account_id, ended_at_ms) WHERE ended_at_ms IS NOT NULL;
