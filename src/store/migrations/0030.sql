-- Builders that people have paused (MAY-03).
ALTER TABLE builder ADD COLUMN paused_at INTEGER;
ALTER TABLE builder ADD COLUMN paused_by TEXT NOT NULL DEFAULT '';
ALTER TABLE builder ADD COLUMN pause_reason TEXT NOT NULL DEFAULT '';
