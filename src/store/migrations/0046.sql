-- Culprit searches (SRH-14). `record` says how one began; its state is the list of its answers.
CREATE TABLE search (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    problem  INTEGER REFERENCES problem (number) ON DELETE CASCADE,
    builder  TEXT NOT NULL,
    tree     TEXT NOT NULL,
    record   TEXT NOT NULL,
    verdict  TEXT,
    why      TEXT,
    ended_at INTEGER
) STRICT;
CREATE INDEX search_running ON search (number) WHERE ended_at IS NULL;
CREATE INDEX search_ended ON search (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX search_of_problem ON search (problem) WHERE problem IS NOT NULL;

-- The builds that searches have asked for, and what they say of their points.
CREATE TABLE search_ask (
    request   INTEGER PRIMARY KEY,
    search    INTEGER NOT NULL REFERENCES search (number) ON DELETE CASCADE,
    point     INTEGER NOT NULL,
    said      TEXT,
    build     INTEGER,
    took_secs INTEGER
) STRICT;
CREATE INDEX search_ask_of ON search_ask (search, request);
CREATE INDEX search_ask_open ON search_ask (search) WHERE said IS NULL;
