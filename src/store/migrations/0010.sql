-- The next free number in each builder's directory, whatever the builders were called that had it: the logs of a build are
-- below builders/DIRECTORY/NUMBER.
CREATE TABLE spent_dirs (
    builddir TEXT PRIMARY KEY,
    next     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO spent_dirs (builddir, next)
    SELECT substr(rest, 1, instr(rest, '/') - 1) AS dir,
        max(CAST(substr(rest, instr(rest, '/') + 1) AS INTEGER)) + 1
    FROM (SELECT substr(path, 10) AS rest FROM log WHERE path LIKE 'builders/%/%/%')
    GROUP BY dir;
