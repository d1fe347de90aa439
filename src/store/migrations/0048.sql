-- A letter may be for one recipient alone, as one of those that a letter became (MAL-05).
ALTER TABLE letter ADD COLUMN recipient TEXT;
