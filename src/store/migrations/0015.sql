-- How many files of a change are not in its list, which was too long.
ALTER TABLE change ADD COLUMN files_left_out INTEGER NOT NULL DEFAULT 0;
