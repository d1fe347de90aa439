-- People, their logins and the audit log. Secrets are kept as hashes only.

-- `roles` is a list; `password` is an argon2id hash, absent if the person cannot log in with one.
CREATE TABLE person (
    name       TEXT PRIMARY KEY,
    roles      TEXT NOT NULL,
    password   TEXT,
    changed_at INTEGER NOT NULL
) STRICT;

-- What is known of a person. A value that identifies somebody has `is_unique`.
CREATE TABLE person_attribute (
    person    TEXT NOT NULL REFERENCES person (name) ON DELETE CASCADE,
    kind      TEXT NOT NULL,
    value     TEXT NOT NULL,
    is_unique INTEGER NOT NULL,
    PRIMARY KEY (person, kind, value)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX person_attribute_unique ON person_attribute (kind, value) WHERE is_unique;

-- `person` may also be somebody of the configuration. `hash` is SHA-256 in hexadecimal digits.
CREATE TABLE token (
    id       INTEGER PRIMARY KEY,
    hash     TEXT NOT NULL UNIQUE,
    person   TEXT NOT NULL,
    label    TEXT NOT NULL,
    rights   TEXT NOT NULL,
    made_at  INTEGER NOT NULL,
    ends_at  INTEGER NOT NULL,
    ended_at INTEGER,
    used_at  INTEGER
) STRICT;
CREATE INDEX token_of_person ON token (person);

CREATE TABLE session (
    hash     TEXT PRIMARY KEY,
    person   TEXT NOT NULL,
    roles    TEXT NOT NULL,
    address  TEXT NOT NULL,
    begun_at INTEGER NOT NULL,
    used_at  INTEGER NOT NULL,
    ends_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_of_person ON session (person);

-- Append-only; only what is older than its horizon is pruned.
CREATE TABLE audit (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    who     TEXT NOT NULL,
    door    TEXT NOT NULL,
    address TEXT NOT NULL,
    token   INTEGER,
    action  TEXT NOT NULL,
    object  TEXT NOT NULL,
    what    TEXT NOT NULL,
    reason  TEXT NOT NULL,
    outcome TEXT NOT NULL,
    ground  TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_who ON audit (who, id);
CREATE INDEX audit_by_time ON audit (at);
