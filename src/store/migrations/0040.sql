-- Results of tests (TST-09). A line is a builder, a tree, and the name of the step with the tests.
-- Outcomes are letters; "-" is a test that is gone. Hashes are signed numbers.
CREATE TABLE test_name (
    hash INTEGER PRIMARY KEY,
    name TEXT NOT NULL
) STRICT;
CREATE TABLE test_line (
    id      INTEGER PRIMARY KEY,
    builder TEXT NOT NULL,
    tree    TEXT NOT NULL,
    step    TEXT NOT NULL,
    reports INTEGER NOT NULL,
    last    INTEGER NOT NULL,
    UNIQUE (builder, tree, step)
) STRICT;
CREATE INDEX test_line_last ON test_line (builder, last);
CREATE TABLE test_last (
    line    INTEGER NOT NULL REFERENCES test_line (id) ON DELETE CASCADE,
    hash    INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    PRIMARY KEY (line, hash)
) STRICT, WITHOUT ROWID;
CREATE TABLE test_change (
    line    INTEGER NOT NULL REFERENCES test_line (id) ON DELETE CASCADE,
    hash    INTEGER NOT NULL,
    number  INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    PRIMARY KEY (line, hash, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE test_report (
    build       INTEGER NOT NULL REFERENCES build (id) ON DELETE CASCADE,
    step        INTEGER NOT NULL,
    line        INTEGER,
    counts      TEXT NOT NULL,
    is_complete INTEGER NOT NULL,
    notes       TEXT NOT NULL,
    told        TEXT NOT NULL,
    results     BLOB,
    PRIMARY KEY (build, step)
) STRICT, WITHOUT ROWID;
CREATE INDEX test_report_kept ON test_report (line, build) WHERE results IS NOT NULL;
