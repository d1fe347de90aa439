-- The state of a master. Times are microseconds since 1970-01-01 UTC; results are Buildbot's
-- numbers; columns named after lists and maps hold JSON.

CREATE TABLE change (
    number     INTEGER PRIMARY KEY,
    arrived_at INTEGER NOT NULL,
    made_at    INTEGER NOT NULL,
    said_when  INTEGER,
    who        TEXT NOT NULL,
    comments   TEXT NOT NULL,
    revision   TEXT,
    branch     TEXT,
    project    TEXT NOT NULL,
    repository TEXT NOT NULL,
    codebase   TEXT NOT NULL,
    category   TEXT,
    revlink    TEXT NOT NULL,
    src        TEXT,
    files      TEXT NOT NULL,
    properties TEXT NOT NULL
) STRICT;

-- `stamp` is the source stamp without its patch; its changes are numbers.
CREATE TABLE build_set (
    id           INTEGER PRIMARY KEY,
    external_id  TEXT,
    scheduler    TEXT,
    reason       TEXT NOT NULL,
    submitted_at INTEGER NOT NULL,
    finished_at  INTEGER,
    result       INTEGER,
    stamp        TEXT NOT NULL,
    properties   TEXT NOT NULL
) STRICT;
CREATE INDEX build_set_open ON build_set (id) WHERE finished_at IS NULL;

CREATE TABLE patch (
    build_set INTEGER PRIMARY KEY REFERENCES build_set (id) ON DELETE CASCADE,
    level     INTEGER NOT NULL,
    subdir    TEXT,
    who       TEXT,
    comment   TEXT,
    body      BLOB NOT NULL
) STRICT;

-- A request is pending while it has neither a build nor a result.
CREATE TABLE request (
    id           INTEGER PRIMARY KEY,
    build_set    INTEGER NOT NULL REFERENCES build_set (id) ON DELETE CASCADE,
    builder      TEXT NOT NULL,
    submitted_at INTEGER NOT NULL,
    build        INTEGER,
    retries      INTEGER NOT NULL DEFAULT 0,
    start_count  INTEGER NOT NULL DEFAULT 0,
    finished_at  INTEGER,
    result       INTEGER
) STRICT;
CREATE INDEX request_of_set ON request (build_set);
CREATE INDEX request_open ON request (builder, submitted_at) WHERE finished_at IS NULL;

CREATE TABLE build (
    id          INTEGER PRIMARY KEY,
    builder     TEXT NOT NULL,
    number      INTEGER NOT NULL,
    slave       TEXT NOT NULL,
    reason      TEXT NOT NULL,
    started_at  INTEGER NOT NULL,
    finished_at INTEGER,
    result      INTEGER,
    stop_reason TEXT,
    text        TEXT NOT NULL DEFAULT '[]',
    requests    TEXT NOT NULL,
    changes     TEXT NOT NULL,
    properties  TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX build_of_builder ON build (builder, number);
CREATE INDEX build_open ON build (builder) WHERE finished_at IS NULL;

CREATE TABLE step (
    build       INTEGER NOT NULL REFERENCES build (id) ON DELETE CASCADE,
    position    INTEGER NOT NULL,
    name        TEXT NOT NULL,
    started_at  INTEGER NOT NULL,
    finished_at INTEGER,
    result      INTEGER,
    text        TEXT NOT NULL,
    PRIMARY KEY (build, position)
) STRICT, WITHOUT ROWID;

-- `path` is relative to the base directory and without suffix; `size` is known when the log is
-- complete.
CREATE TABLE log (
    build    INTEGER NOT NULL,
    step     INTEGER NOT NULL,
    position INTEGER NOT NULL,
    name     TEXT NOT NULL,
    path     TEXT NOT NULL,
    size     INTEGER,
    PRIMARY KEY (build, step, position),
    FOREIGN KEY (build, step) REFERENCES step (build, position) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE scheduler (
    name  TEXT PRIMARY KEY,
    state TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Builders and slaves that are configured have a position; others are remembered.
CREATE TABLE builder (
    name     TEXT PRIMARY KEY,
    position INTEGER,
    state    TEXT NOT NULL DEFAULT 'offline',
    slaves   TEXT NOT NULL DEFAULT '[]'
) STRICT, WITHOUT ROWID;

CREATE TABLE slave (
    name      TEXT PRIMARY KEY,
    position  INTEGER,
    connected INTEGER NOT NULL DEFAULT 0,
    info      TEXT NOT NULL DEFAULT '{}',
    seen_at   INTEGER
) STRICT, WITHOUT ROWID;

-- Numbers are never used twice, also when the rows that had them are deleted. Inserting costs
-- nothing: the next number is the greater of what is here and what follows the last row.
CREATE TABLE spent (
    kind TEXT PRIMARY KEY,
    next INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO spent (kind, next) VALUES ('change', 1), ('build_set', 1), ('request', 1), ('build', 1);
CREATE TABLE spent_builds (
    builder TEXT PRIMARY KEY,
    next    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER change_deleted AFTER DELETE ON change BEGIN
    UPDATE spent SET next = old.number + 1 WHERE kind = 'change' AND next <= old.number;
END;
CREATE TRIGGER build_set_deleted AFTER DELETE ON build_set BEGIN
    UPDATE spent SET next = old.id + 1 WHERE kind = 'build_set' AND next <= old.id;
END;
CREATE TRIGGER request_deleted AFTER DELETE ON request BEGIN
    UPDATE spent SET next = old.id + 1 WHERE kind = 'request' AND next <= old.id;
END;
CREATE TRIGGER build_deleted AFTER DELETE ON build BEGIN
    UPDATE spent SET next = old.id + 1 WHERE kind = 'build' AND next <= old.id;
    INSERT INTO spent_builds (builder, next) VALUES (old.builder, old.number + 1)
        ON CONFLICT (builder) DO UPDATE SET next = excluded.next WHERE next < excluded.next;
END;
