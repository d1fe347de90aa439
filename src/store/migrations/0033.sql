-- The source stamp of a build set can have the stamps of further codebases under "more", and the
-- tree of a line those of further codebases after its own parts (CBS-05). Rows that are there have
-- one codebase, and stay as they are.
DROP TRIGGER build_set_deleted_from_changes;
CREATE TRIGGER build_set_deleted_from_changes AFTER DELETE ON build_set BEGIN
    DELETE FROM change_in_set
        WHERE build_set = old.id AND change IN (
            SELECT value FROM json_each(old.stamp, '$.changes')
            UNION ALL
            SELECT changes.value FROM json_each(old.stamp, '$.more') stamp,
                json_each(stamp.value, '$.changes') changes);
END;
