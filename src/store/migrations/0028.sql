-- What has happened by one transaction is one row: the number of the last, and a JSON array of
-- [time, name, what it is about].
CREATE TABLE happened (
    last   INTEGER PRIMARY KEY,
    events TEXT NOT NULL
) STRICT;
INSERT INTO happened
    SELECT number, json_array(json_array(at, name, json(facts))) FROM event;
DROP TABLE event;
