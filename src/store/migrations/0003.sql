-- A slave that is paused gets no new builds; absent while it is not paused.
ALTER TABLE slave ADD COLUMN paused_at INTEGER;
ALTER TABLE slave ADD COLUMN paused_by TEXT NOT NULL DEFAULT '';
ALTER TABLE slave ADD COLUMN pause_reason TEXT NOT NULL DEFAULT '';
