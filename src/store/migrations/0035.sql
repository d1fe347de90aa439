-- When slaves were connected: the newest visits of each. A visit that lasts has no end.
CREATE TABLE slave_visit (
    id      INTEGER PRIMARY KEY,
    slave   TEXT NOT NULL,
    came_at INTEGER NOT NULL,
    went_at INTEGER
) STRICT;
CREATE INDEX slave_visit_of_slave ON slave_visit (slave, id);
CREATE INDEX slave_visit_open ON slave_visit (slave) WHERE went_at IS NULL;
INSERT INTO slave_visit (slave, came_at)
    SELECT name, seen_at FROM slave WHERE connected AND seen_at IS NOT NULL;
