-- The problems that are there, by what they are about.
CREATE INDEX problem_of_tree ON problem (builder, tree, step, test, first)
    WHERE kind = 0 AND state = 0;
