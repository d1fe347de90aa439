-- When commits were made, as their version control systems say; `made_at` is the time that counts.
ALTER TABLE change ADD COLUMN committed_at INTEGER;
