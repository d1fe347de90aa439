-- What people were told of problems (ESC-01). `said` is as the program writes it.
CREATE TABLE problem_said (
    problem INTEGER NOT NULL REFERENCES problem (number) ON DELETE CASCADE,
    person  TEXT NOT NULL,
    said    TEXT NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (problem, person, said)
) STRICT, WITHOUT ROWID;
CREATE INDEX problem_said_at ON problem_said (at);
