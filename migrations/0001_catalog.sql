-- +goose Up

CREATE TABLE relations (
  id          TEXT NOT NULL PRIMARY KEY,
  schema_name TEXT NOT NULL,
  name        TEXT NOT NULL,
  kind        TEXT NOT NULL,
  definition  TEXT NOT NULL, -- columns, keys, watermark and options, as JSON
  sql_text    TEXT NOT NULL,
  query_text  TEXT NOT NULL,
  job_id      TEXT NOT NULL,
  created     BIGINT NOT NULL,
  UNIQUE (schema_name, name)
);

CREATE TABLE relation_depends (
  relation_id TEXT NOT NULL REFERENCES relations (id) ON DELETE CASCADE,
  position    BIGINT NOT NULL,
  depends_on  TEXT NOT NULL,
  PRIMARY KEY (relation_id, position)
);

CREATE TABLE jobs (
  id               TEXT NOT NULL PRIMARY KEY,
  name             TEXT NOT NULL UNIQUE,
  sql_text         TEXT NOT NULL,
  graph            BYTEA NOT NULL,
  options          TEXT NOT NULL, -- JSON object
  wanted           TEXT NOT NULL,
  state            TEXT NOT NULL,
  failure          TEXT NOT NULL,
  view_id          TEXT NOT NULL,
  restore_from     TEXT NOT NULL,
  restore_map      TEXT NOT NULL,
  first_checkpoint BIGINT NOT NULL,
  depends          TEXT NOT NULL, -- JSON array of relation ids
  lineage          TEXT NOT NULL, -- JSON array of job ids
  created          BIGINT NOT NULL,
  updated          BIGINT NOT NULL
);

-- Checkpoints outlive their job's row: a restored job has a new id.
CREATE TABLE checkpoints (
  job_id     TEXT NOT NULL,
  n          BIGINT NOT NULL,
  state      TEXT NOT NULL,
  url        TEXT NOT NULL,
  bytes      BIGINT NOT NULL,
  full_bytes BIGINT NOT NULL,
  row_count  BIGINT NOT NULL,
  started    BIGINT NOT NULL,
  ended      BIGINT NOT NULL,
  failure    TEXT NOT NULL,
  PRIMARY KEY (job_id, n)
);

CREATE TABLE savepoints (
  id        TEXT NOT NULL PRIMARY KEY,
  name      TEXT NOT NULL UNIQUE,
  job_id    TEXT NOT NULL,
  job_name  TEXT NOT NULL,
  url       TEXT NOT NULL,
  format    TEXT NOT NULL,
  bytes     BIGINT NOT NULL,
  row_count BIGINT NOT NULL,
  created   BIGINT NOT NULL
);

CREATE TABLE events (
  job_id  TEXT NOT NULL,
  seq     BIGINT NOT NULL,
  at      BIGINT NOT NULL,
  kind    TEXT NOT NULL,
  message TEXT NOT NULL,
  PRIMARY KEY (job_id, seq)
);

CREATE TABLE settings (
  name    TEXT NOT NULL PRIMARY KEY,
  value   TEXT NOT NULL,
  updated BIGINT NOT NULL
);

-- One row per thing that only one server may do at a time.
CREATE TABLE leases (
  name        TEXT NOT NULL PRIMARY KEY,
  holder      TEXT NOT NULL,
  incarnation BIGINT NOT NULL,
  expires     BIGINT NOT NULL
);
