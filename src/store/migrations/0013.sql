-- Users and the networks they have logged in from.
CREATE TABLE known_login (
    user    TEXT NOT NULL,
    network TEXT NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (user, network)
) STRICT, WITHOUT ROWID;
