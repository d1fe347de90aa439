-- What this state is called, made once at random, and how often a master has begun on it: a number that grows with each
-- start, and is at least the time of the start in seconds.
CREATE TABLE meta (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    identity TEXT NOT NULL,
    epoch    INTEGER NOT NULL
) STRICT;
INSERT INTO meta (one, identity, epoch) VALUES (1, lower(hex(randomblob(16))), 0);
