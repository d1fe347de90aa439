-- Pages find changes by their revision, and broken lines by when they broke.
CREATE INDEX change_of_revision ON change (revision, number) WHERE revision IS NOT NULL;
CREATE INDEX line_broken ON line (finished_at) WHERE result = 2;
