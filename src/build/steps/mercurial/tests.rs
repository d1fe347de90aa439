//! Mercurial by recorded scripts: what each setting adds to the commands.

use super::*;
use crate::build::steps::recorded::{Rule, played, stage};
use crate::build::testing::template;
use crate::config::StepKind;
use crate::model::{Results, SourceStamp};

const NOT_PATCHED: Rule = ("stat build/.buildbot-patched", 1, "");
const NODE: &str = "0123456789012345678901234567890123456789\n";

async fn run(config: MercurialStepConfig) -> Vec<String> {
    let stamp = SourceStamp {
        branch: Some("b".to_owned()),
        ..SourceStamp::default()
    };
    let rules = [
        NOT_PATCHED,
        (
            "build$ hg --noninteractive identify --branch",
            0,
            "default\n",
        ),
        (".$ hg --noninteractive identify", 0, NODE),
        ("build$ hg --noninteractive parents", 0, NODE),
    ];
    let mut stage = stage(StepKind::Mercurial(Box::new(config)), stamp);
    let (outcome, lines) = played(&mut stage, &rules).await;
    assert_eq!(outcome.result, Results::Success);
    lines
}

fn config() -> MercurialStepConfig {
    MercurialStepConfig {
        location: Location::Repourl(template("https://h/p")),
        branches_are_directories: false,
        ..MercurialStepConfig::default()
    }
}

#[tokio::test(start_paused = true)]
async fn stp_123_a_tree_of_another_branch_is_removed_if_that_is_wanted() {
    for clobber in [true, false] {
        let config = MercurialStepConfig {
            clobber_on_branch_change: clobber,
            ..config()
        };
        let lines = run(config).await;
        assert_eq!(lines.contains(&"rmdir build".to_owned()), clobber);
        assert!(lines.contains(&"build$ hg --noninteractive pull -- https://h/p".to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn stp_122_a_branch_is_a_directory_or_a_name_in_the_repository() {
    for (is_directory, url, branch) in [
        (true, "https://h/p/b", "default"),
        (false, "https://h/p", "b"),
    ] {
        let config = MercurialStepConfig {
            branches_are_directories: is_directory,
            ..config()
        };
        let lines = run(config).await;
        let look_up =
            format!(".$ hg --noninteractive identify --debug --id --rev={branch} -- {url}");
        assert!(lines.contains(&look_up), "{lines:?}");
    }
}
