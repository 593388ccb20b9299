-- `data` is the whole entry; `head` the entry without its value, for sweeping all of them.
CREATE TABLE IF NOT EXISTS entries (
  kind TEXT NOT NULL, name TEXT NOT NULL, leaves_at REAL NOT NULL, used_at REAL NOT NULL,
  head BLOB NOT NULL, data BLOB NOT NULL, PRIMARY KEY (kind, name)
);
CREATE INDEX IF NOT EXISTS by_leaving ON entries (leaves_at);
CREATE INDEX IF NOT EXISTS by_use ON entries (used_at, kind);
