-- What each step of a builder is expected to take, after its builds that succeeded. Builder and step are
-- known by their names, so that this outlasts every change of the configuration.
CREATE TABLE expectation (
    builder TEXT NOT NULL,
    step    TEXT NOT NULL,
    seconds REAL NOT NULL,
    -- Bytes of output by log, as JSON.
    output  TEXT NOT NULL,
    PRIMARY KEY (builder, step)
) STRICT, WITHOUT ROWID;

-- What is expected of the steps of a build, as JSON, while it runs.
ALTER TABLE build ADD COLUMN forecast TEXT;
