-- Whether the owner of a test in quarantine was told that it ends (FLK-07).
ALTER TABLE quarantine ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
CREATE INDEX quarantine_ending ON quarantine (until) WHERE told = 0;

-- `flaky` is the number of further points that answer for which a subject is proved to be flaky. Of
-- those that are flaky now it is not known; the next answer about them tells.
CREATE INDEX subject_flaky ON subject (builder) WHERE flaky > 0 AND test <> '';
