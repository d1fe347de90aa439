-- Builds that say nothing about the sources (INF-01): 1, or 2 if their slave was lost.
ALTER TABLE build ADD COLUMN silent INTEGER NOT NULL DEFAULT 0;
CREATE INDEX build_silent ON build (id) WHERE silent > 0;
