-- What a step has counted so far, by name as JSON, by which its progress is estimated.
ALTER TABLE step ADD COLUMN counts TEXT NOT NULL DEFAULT '{}';
