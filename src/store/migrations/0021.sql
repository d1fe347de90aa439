-- The build that triggered a set, as JSON: its id, builder and number, the step, and whether that waits; absent for all others.
ALTER TABLE build_set ADD COLUMN parent TEXT;
