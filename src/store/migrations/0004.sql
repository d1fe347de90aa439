-- How urgent the requests of a set are: those with a higher number are built first. Sets that were there before have
-- none in particular.
ALTER TABLE build_set ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
