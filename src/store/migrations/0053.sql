-- Names of tests that no line has any longer are pruned (TST-09).
CREATE INDEX test_last_hash ON test_last (hash);
