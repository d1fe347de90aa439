-- What has happened, numbered in the order of the commits (STA-01). Only the newest are kept.
CREATE TABLE event (
    number INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    name   TEXT NOT NULL,
    -- JSON: what it is about.
    facts  TEXT NOT NULL
) STRICT;
