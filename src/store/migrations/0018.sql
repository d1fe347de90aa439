-- What a step that has ended means for its build, as JSON; absent while it runs, and for the steps of earlier versions.
ALTER TABLE step ADD COLUMN outcome TEXT;
