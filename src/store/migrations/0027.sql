-- What is on record of each change source (INT-01), and what they have handed in: deliveries, which are taken once (INT-03), and the
-- identities of changes (INT-04). A change that is sent again on purpose takes over its identity.
CREATE TABLE change_source (
    name          TEXT PRIMARY KEY,
    -- Where it goes on from: JSON, in its own format.
    cursor        TEXT,
    tried_at      INTEGER,
    succeeded_at  INTEGER,
    next_at       INTEGER,
    error         TEXT,
    error_at      INTEGER,
    note          TEXT,
    errors        INTEGER NOT NULL DEFAULT 0,
    failing       INTEGER NOT NULL DEFAULT 0,
    taken         INTEGER NOT NULL DEFAULT 0,
    known         INTEGER NOT NULL DEFAULT 0,
    dropped       INTEGER NOT NULL DEFAULT 0,
    redelivered   INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE delivery (
    source TEXT NOT NULL,
    sum    BLOB NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (source, sum)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_at ON delivery (at);

CREATE TABLE change_identity (
    sum    BLOB PRIMARY KEY,
    change INTEGER NOT NULL,
    source TEXT NOT NULL,
    at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX identity_of_change ON change_identity (change);
