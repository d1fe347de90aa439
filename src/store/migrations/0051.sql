-- The key by which the master signs the links of its mails (MAL-11).
ALTER TABLE meta ADD COLUMN link_key TEXT NOT NULL DEFAULT '';
UPDATE meta SET link_key = lower(hex(randomblob(32)));
