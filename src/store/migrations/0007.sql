-- Why a build runs on its slave, for people.
ALTER TABLE build ADD COLUMN choice TEXT NOT NULL DEFAULT '';
