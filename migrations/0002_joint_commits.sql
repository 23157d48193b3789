-- +goose Up

-- Ids of transactions that also changed rows of own tables, whose log has the
-- rows under the same id: they were committed if the id is here. Each log keeps
-- the last one only.
CREATE TABLE joint_commits (
  id TEXT NOT NULL PRIMARY KEY
);
