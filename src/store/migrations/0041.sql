-- Steps of builders that have failed lately on a tree: their answers are kept (PRB-04). Evidence of
-- points before `since` is forgotten.
CREATE TABLE subject (
    id      INTEGER PRIMARY KEY,
    builder TEXT NOT NULL,
    tree    TEXT NOT NULL,
    step    TEXT NOT NULL,
    since   INTEGER NOT NULL,
    flaky   INTEGER NOT NULL DEFAULT 0,
    UNIQUE (builder, tree, step)
) STRICT;

-- What builds have answered about a subject.
CREATE TABLE answer (
    subject INTEGER NOT NULL REFERENCES subject (id) ON DELETE CASCADE,
    point   INTEGER NOT NULL,
    build   INTEGER NOT NULL,
    answer  TEXT NOT NULL,
    PRIMARY KEY (subject, point, build)
) STRICT, WITHOUT ROWID;

-- Problems (PRB-01). Of `state`: 0 is open, 1 resolved, 2 gone, 3 flaky, 4 withdrawn. The builds are
-- numbers of the builder: the first and the last one that fail, and the last one before that passes.
CREATE TABLE problem (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    builder     TEXT NOT NULL,
    tree        TEXT NOT NULL,
    step        TEXT NOT NULL,
    state       INTEGER NOT NULL,
    first       INTEGER NOT NULL,
    found       TEXT NOT NULL,
    suspects    TEXT NOT NULL,
    fixed_in    TEXT NOT NULL,
    first_build INTEGER,
    last_build  INTEGER,
    good_build  INTEGER,
    opened_at   INTEGER NOT NULL,
    ended_at    INTEGER
) STRICT;
CREATE INDEX problem_of_subject ON problem (builder, tree, step, first);
CREATE INDEX problem_open ON problem (number) WHERE state = 0;
CREATE INDEX problem_ended ON problem (ended_at) WHERE ended_at IS NOT NULL;

-- What has happened to a problem, and the build that told it.
CREATE TABLE problem_event (
    problem INTEGER NOT NULL REFERENCES problem (number) ON DELETE CASCADE,
    at      INTEGER NOT NULL,
    event   TEXT NOT NULL,
    build   INTEGER NOT NULL
) STRICT;
CREATE INDEX problem_event_of ON problem_event (problem, at);
