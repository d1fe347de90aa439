-- How the result of a build compares with the one before it on its line: new, still, fixed; absent if it is as before, or says nothing.
ALTER TABLE build ADD COLUMN news TEXT;
-- Where each line (a builder on one tree) stands. Tries and builds of older sources change nothing here.
CREATE TABLE line (
    builder     TEXT NOT NULL,
    -- JSON: branch, repository, project, codebase.
    tree        TEXT NOT NULL,
    -- The last build that says something: its number, its result, its end, its newest change.
    last        INTEGER NOT NULL,
    result      INTEGER NOT NULL,
    finished_at INTEGER NOT NULL,
    newest      INTEGER,
    -- The first build with this result in a row, its end, and the last build before it.
    since       INTEGER NOT NULL,
    since_at    INTEGER NOT NULL,
    before      INTEGER,
    PRIMARY KEY (builder, tree)
) STRICT, WITHOUT ROWID;
CREATE TABLE evidence AS
    SELECT b.id, b.builder, b.number, b.result, b.finished_at, b.changes ->> '$[#-1]' AS newest,
        json_array(s.stamp ->> 'branch', s.stamp ->> 'repository', s.stamp ->> 'project', s.stamp ->> 'codebase') AS tree,
        NULL AS before_result, NULL AS before_number
    FROM build b JOIN request r ON r.id = b.requests ->> 0 JOIN build_set s ON s.id = r.build_set
        LEFT JOIN patch p ON p.build_set = s.id
    WHERE b.result IN (0, 1, 2) AND b.finished_at IS NOT NULL AND p.build_set IS NULL;
CREATE INDEX evidence_of_line ON evidence (builder, tree, number);
UPDATE evidence SET before_result = e.before_result, before_number = e.before_number FROM (
    SELECT id, lag(result) OVER line AS before_result, lag(number) OVER line AS before_number FROM evidence
    WINDOW line AS (PARTITION BY builder, tree ORDER BY number)) e WHERE e.id = evidence.id;
UPDATE build SET news = CASE
        WHEN e.result = 2 AND e.before_result = 2 THEN 'still'
        WHEN e.result = 2 THEN 'new'
        WHEN e.before_result = 2 THEN 'fixed'
        WHEN e.result = 1 AND e.before_result = 1 THEN 'still'
        WHEN e.result = 1 AND e.before_result = 0 THEN 'new'
    END
    FROM evidence e WHERE e.id = build.id;
INSERT INTO line
    SELECT l.builder, l.tree, l.number, l.result, l.finished_at,
        (SELECT max(e.newest) FROM evidence e WHERE e.builder = l.builder AND e.tree = l.tree),
        f.number, f.finished_at, f.before_number
    FROM (SELECT builder, tree, max(number) AS number, result, finished_at FROM evidence GROUP BY builder, tree) l
        JOIN (SELECT builder, tree, max(number) AS number, finished_at, before_number FROM evidence
            WHERE before_result IS NULL OR before_result <> result GROUP BY builder, tree) f
        ON f.builder = l.builder AND f.tree = l.tree;
DROP TABLE evidence;
CREATE INDEX build_finished ON build (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX build_on_slave ON build (slave, id);
