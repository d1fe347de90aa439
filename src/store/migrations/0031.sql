-- Acts over the API that are done once for each key (WEB section 13), for a day.
CREATE TABLE done_act (
    caller      TEXT NOT NULL,
    key         TEXT NOT NULL,
    -- Equal for equal requests.
    fingerprint TEXT NOT NULL,
    at          INTEGER NOT NULL,
    -- JSON: what was answered.
    result      TEXT NOT NULL,
    PRIMARY KEY (caller, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX done_act_by_time ON done_act (at);
