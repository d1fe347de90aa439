//! Bazaar by recorded scripts: what a setting adds to the commands.

use super::*;
use crate::build::steps::recorded::{Rule, played, stage};
use crate::build::testing::template;
use crate::config::{Location, StepKind};
use crate::model::{Results, SourceStamp};

#[tokio::test(start_paused = true)]
async fn stp_129_the_branches_of_a_builder_share_a_repository_if_that_is_wanted() {
    let (info, make) = (
        ".$ bzr --no-aliases info .",
        ".$ bzr --no-aliases init-repo .",
    );
    for (shared, known, expected) in [
        (false, 1, vec![]),
        (true, 1, vec![info, make]),
        (true, 0, vec![info]),
    ] {
        let config = BzrStepConfig {
            location: Location::Repourl(template("https://h/trunk")),
            force_shared_repo: shared,
            ..BzrStepConfig::default()
        };
        let mut stage = stage(StepKind::Bzr(Box::new(config)), SourceStamp::default());
        let rules: [Rule; 3] = [
            ("stat build/.bzr", 1, ""),
            (info, known, ""),
            ("build$ bzr --no-aliases revno", 0, "7\n"),
        ];
        let (outcome, lines) = played(&mut stage, &rules).await;
        assert_eq!(outcome.result, Results::Success);
        let branch = "build$ bzr --no-aliases branch --use-existing-dir -- https://h/trunk .";
        let is_last = lines.iter().position(|line| line == branch);
        assert_eq!(lines[3..is_last.unwrap_or_default()], expected);
    }
}
