-- What people have said of problems (PRB-16, PRB-20 to PRB-22), in the order in which they did.
CREATE TABLE problem_remark (
    id      INTEGER PRIMARY KEY,
    problem INTEGER NOT NULL REFERENCES problem (number) ON DELETE CASCADE,
    kind    TEXT NOT NULL,
    person  TEXT NOT NULL,
    also    TEXT NOT NULL,
    until   INTEGER,
    text    TEXT NOT NULL,
    by      TEXT NOT NULL,
    at      INTEGER NOT NULL
) STRICT;
CREATE INDEX problem_remark_of ON problem_remark (problem, id);
