-- The line that says first what went wrong in a build that has failed, as JSON.
ALTER TABLE build ADD COLUMN first_error TEXT;
