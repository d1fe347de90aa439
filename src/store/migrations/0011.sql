-- Why a request ended, if no build says so, for people.
ALTER TABLE request ADD COLUMN why TEXT;
-- When a step's own work began; absent while it waits for its locks.
ALTER TABLE step ADD COLUMN working_since INTEGER;
UPDATE step SET working_since = started_at;
