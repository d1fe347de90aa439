-- What the master changed of what the sender of a change said, as JSON: texts. Whether its message says that it need not be built.
ALTER TABLE change ADD COLUMN notes TEXT NOT NULL DEFAULT '[]';
ALTER TABLE change ADD COLUMN skipped INTEGER NOT NULL DEFAULT 0;
