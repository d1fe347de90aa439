-- When somebody was told that a slave is away; absent since it has connected.
ALTER TABLE slave ADD COLUMN missed_at INTEGER;
