-- Letters to people and programs (OUT-01). Of `state`: 0 waits, 1 was delivered, 2 is dead, 3 was
-- dropped.
CREATE TABLE letter (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    target   TEXT NOT NULL,
    ordering TEXT NOT NULL,
    facts    TEXT NOT NULL,
    made_at  INTEGER NOT NULL,
    next_at  INTEGER NOT NULL,
    tries    INTEGER NOT NULL DEFAULT 0,
    error    TEXT,
    state    INTEGER NOT NULL DEFAULT 0,
    ended_at INTEGER
) STRICT;
CREATE INDEX letter_of_order ON letter (target, ordering, id) WHERE state = 0;
CREATE INDEX letter_open ON letter (next_at, id) WHERE state = 0;
CREATE INDEX letter_by_state ON letter (state, target, made_at, error);
CREATE INDEX letter_ended ON letter (ended_at) WHERE ended_at IS NOT NULL;
