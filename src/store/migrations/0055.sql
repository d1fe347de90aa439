-- The change up to which a search has looked, by which one for the same failure is found.
CREATE INDEX search_up_to ON search (record ->> '$.points[#-1]');

-- Of the waiting letters of an order, the first one can be sent: it is the `head` (OUT-07). These
-- are found by their targets and by the time when they are due, whatever waits behind them.
ALTER TABLE letter ADD COLUMN head INTEGER NOT NULL DEFAULT 0;
UPDATE letter SET head = 1 WHERE state = 0 AND NOT EXISTS (SELECT 1 FROM letter e
    WHERE e.state = 0 AND e.target = letter.target AND e.ordering = letter.ordering
        AND e.id < letter.id);
DROP INDEX letter_open;
CREATE INDEX letter_due ON letter (target, next_at, id) WHERE state = 0 AND head = 1;
CREATE TRIGGER letter_comes AFTER INSERT ON letter WHEN new.state = 0 BEGIN
    UPDATE letter SET head = 1 WHERE id = new.id AND NOT EXISTS (SELECT 1 FROM letter e
        WHERE e.state = 0 AND e.target = new.target AND e.ordering = new.ordering
            AND e.id < new.id);
END;
CREATE TRIGGER letter_ends AFTER UPDATE OF state ON letter WHEN old.state <> new.state BEGIN
    UPDATE letter SET head = 0 WHERE id = new.id AND head = 1;
    UPDATE letter SET head = 0 WHERE id = (SELECT min(e.id) FROM letter e WHERE e.state = 0
        AND e.target = new.target AND e.ordering = new.ordering AND e.id > new.id) AND head = 1;
    UPDATE letter SET head = 1 WHERE id = (SELECT min(e.id) FROM letter e WHERE e.state = 0
        AND e.target = new.target AND e.ordering = new.ordering);
END;
