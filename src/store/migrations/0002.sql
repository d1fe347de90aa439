-- What the schedulers made of each change: pairs of a decision and the names of the schedulers that
-- came to it one after the other, in the order of the configuration.
CREATE TABLE decision (
    change     INTEGER PRIMARY KEY REFERENCES change (number) ON DELETE CASCADE,
    schedulers TEXT NOT NULL
) STRICT;

-- The sets that a change is in; the stamps say the same the other way round.
CREATE TABLE change_in_set (
    change    INTEGER NOT NULL,
    build_set INTEGER NOT NULL,
    PRIMARY KEY (change, build_set)
) STRICT, WITHOUT ROWID;
INSERT INTO change_in_set (change, build_set)
    SELECT DISTINCT changes.value, s.id
    FROM build_set s, json_each(s.stamp, '$.changes') changes;
CREATE TRIGGER build_set_deleted_from_changes AFTER DELETE ON build_set BEGIN
    DELETE FROM change_in_set
        WHERE build_set = old.id AND change IN (SELECT value FROM json_each(old.stamp, '$.changes'));
END;

-- A client finds its set again by the id that it gave it.
CREATE INDEX build_set_of_client ON build_set (external_id) WHERE external_id IS NOT NULL;
