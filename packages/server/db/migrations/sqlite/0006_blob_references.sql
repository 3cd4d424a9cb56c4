-- Who needs which blob, so that the ones nobody needs can be found and removed.

CREATE TABLE revision_blobs (
  -- A pickled callable, its setup, or an app file.
  blob TEXT NOT NULL,
  revision_number INTEGER NOT NULL REFERENCES revisions (number) ON DELETE CASCADE,
  PRIMARY KEY (blob, revision_number)
) STRICT, WITHOUT ROWID;
CREATE INDEX revision_blobs_by_revision ON revision_blobs (revision_number);

INSERT INTO revision_blobs (blob, revision_number)
SELECT DISTINCT blob, number FROM (
  SELECT number, json_extract(code, '$.callable.blob') AS blob FROM revisions
  UNION ALL SELECT number, json_extract(code, '$.callable.setup.blob') FROM revisions
  UNION ALL SELECT number, json_extract(file.value, '$.hash') FROM revisions, json_each(code, '$.files') AS file
) WHERE blob IS NOT NULL;

-- When a client last uploaded the file or asked for it: it is kept for a while after that.
ALTER TABLE app_files ADD COLUMN used_at_ms INTEGER NOT NULL DEFAULT 0;
UPDATE app_files SET used_at_ms = created_at_ms;
CREATE INDEX app_files_by_use ON app_files (used_at_ms);
CREATE INDEX app_files_by_hash ON app_files (hash);

CREATE INDEX queue_inputs_by_blob ON queue_inputs (body_blob) WHERE body_blob IS NOT NULL;
CREATE INDEX queue_results_by_blob ON queue_results (body_blob) WHERE body_blob IS NOT NULL;
CREATE INDEX object_parts_by_blob ON object_parts (blob);
