-- What is beyond a horizon goes. Builds stay without their logs, and go later.
ALTER TABLE build ADD COLUMN logs_pruned INTEGER NOT NULL DEFAULT 0;
CREATE INDEX build_with_logs ON build (builder, number) WHERE logs_pruned = 0;

-- Directories of logs of which no row is left and which are still on the disk, relative to the base directory.
CREATE TABLE pruned_log_dir (
    path TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Requests that ended without a build, which no build takes along when it goes.
CREATE INDEX request_unbuilt ON request (builder, submitted_at)
    WHERE build IS NULL AND finished_at IS NOT NULL;
