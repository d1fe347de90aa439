-- What happens to a problem may be told by the configuration, and not by a build (PRB-15).
CREATE TABLE new_problem_event (
    problem INTEGER NOT NULL REFERENCES problem (number) ON DELETE CASCADE,
    at      INTEGER NOT NULL,
    event   TEXT NOT NULL,
    build   INTEGER
) STRICT;
INSERT INTO new_problem_event SELECT problem, at, event, build FROM problem_event ORDER BY rowid;
DROP TABLE problem_event;
ALTER TABLE new_problem_event RENAME TO problem_event;
CREATE INDEX problem_event_of ON problem_event (problem, at);
