-- Why a request ended, if no build says so, for people.
ALTER TABLE request ADD COLUMN why TEXT;
-- When a step's own work began; absent while it waits for its locks.
ALTER TABLE step ADD COLUMN working_since INTEGER;
UPDATE step SET working_since = started_at;
-- Who is to blame for what a build is made of, as JSON. Of those that were there before it is made up.
ALTER TABLE build ADD COLUMN blamelist TEXT NOT NULL DEFAULT '[]';
UPDATE build SET blamelist = (
    SELECT json_group_array(who) FROM (
        SELECT c.who FROM json_each(build.changes) n JOIN change c ON c.number = n.value
        UNION
        SELECT p.who FROM json_each(build.requests) n JOIN request r ON r.id = n.value
            JOIN patch p ON p.build_set = r.build_set
        ORDER BY 1
    ) WHERE who <> ''
);
