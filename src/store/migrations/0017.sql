-- The names of all steps that a build was to run, as JSON, so that those it did not come to can be told.
ALTER TABLE build ADD COLUMN planned TEXT NOT NULL DEFAULT '[]';

-- The last set of a scheduler is found at once.
CREATE INDEX build_set_of_scheduler ON build_set (scheduler, id) WHERE scheduler IS NOT NULL;
