-- Whom the command of the configuration lists (WHO-05), who is on duty by hand (ESC-10), and the files
-- that say who owns the files of repositories (WHO-08).
CREATE TABLE listed_person (
    name   TEXT PRIMARY KEY,
    person TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE duty (
    rota   TEXT PRIMARY KEY,
    person TEXT NOT NULL,
    until  INTEGER NOT NULL
) STRICT;
CREATE TABLE owners_file (
    repository TEXT PRIMARY KEY,
    text       TEXT NOT NULL
) STRICT;
