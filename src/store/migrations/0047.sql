-- Tests in quarantine (FLK-07). An empty builder stands for all.
CREATE TABLE quarantine (
    name    TEXT NOT NULL,
    builder TEXT NOT NULL,
    owner   TEXT NOT NULL,
    reason  TEXT NOT NULL,
    until   INTEGER NOT NULL,
    set_by  TEXT NOT NULL,
    set_at  INTEGER NOT NULL,
    PRIMARY KEY (name, builder)
) STRICT, WITHOUT ROWID;
-- Tests are named as people see them.
CREATE INDEX test_name_shown ON test_name (replace(name, char(31), '.'));
