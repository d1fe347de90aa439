-- Changes that wait with a scheduler since its state was written.
CREATE TABLE scheduler_waits (
    scheduler TEXT NOT NULL,
    change    INTEGER NOT NULL,
    important INTEGER NOT NULL,
    PRIMARY KEY (scheduler, change)
) STRICT, WITHOUT ROWID;
