-- Tests are subjects, too; `test` is empty for the step itself (PRB-01).
CREATE TABLE new_subject (
    id      INTEGER PRIMARY KEY,
    builder TEXT NOT NULL,
    tree    TEXT NOT NULL,
    step    TEXT NOT NULL,
    test    TEXT NOT NULL,
    since   INTEGER NOT NULL,
    flaky   INTEGER NOT NULL DEFAULT 0,
    UNIQUE (builder, tree, step, test)
) STRICT;
CREATE TABLE new_answer (
    subject INTEGER NOT NULL REFERENCES new_subject (id) ON DELETE CASCADE,
    point   INTEGER NOT NULL,
    build   INTEGER NOT NULL,
    answer  TEXT NOT NULL,
    PRIMARY KEY (subject, point, build)
) STRICT, WITHOUT ROWID;
INSERT INTO new_subject SELECT id, builder, tree, step, '', since, flaky FROM subject;
INSERT INTO new_answer SELECT * FROM answer;
DROP TABLE answer;
DROP TABLE subject;
ALTER TABLE new_subject RENAME TO subject;
ALTER TABLE new_answer RENAME TO answer;

-- What a problem is about. `kind`: 0 a step or a test of it, and of infrastructure (INF-02, INF-03)
-- 1 the builder, 2 the slave, 3 the master.
ALTER TABLE problem ADD COLUMN test TEXT NOT NULL DEFAULT '';
ALTER TABLE problem ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;
ALTER TABLE problem ADD COLUMN slave TEXT;
DROP INDEX problem_of_subject;
CREATE INDEX problem_of_subject ON problem (builder, tree, step, test, first);
CREATE INDEX problem_of_infrastructure ON problem (kind, builder, slave) WHERE kind > 0 AND state = 0;
