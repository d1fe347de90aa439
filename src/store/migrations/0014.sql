-- When something was heard of a slave last; seen_at is when it came or went.
ALTER TABLE slave ADD COLUMN heard_at INTEGER;
UPDATE slave SET heard_at = seen_at;
