//! CVS by recorded scripts: what each setting adds to the commands.

use super::*;
use crate::build::steps::recorded::{Rule, played, stage};
use crate::build::testing::template;
use crate::config::StepKind;
use crate::model::{Results, SourceStamp};

const NEW: Rule = ("stat build/CVS", 1, "");

fn config() -> CvsStepConfig {
    CvsStepConfig {
        cvsroot: template(":pserver:me@h:/cvs"),
        cvsmodule: template("p"),
        ..CvsStepConfig::default()
    }
}

async fn run(config: CvsStepConfig, rules: &[Rule]) -> (Results, Vec<String>) {
    let stamp = SourceStamp {
        branch: Some("b".to_owned()),
        ..SourceStamp::default()
    };
    let mut stage = stage(StepKind::Cvs(Box::new(config)), stamp);
    let (outcome, lines) = played(&mut stage, rules).await;
    (outcome.result, lines)
}

#[tokio::test(start_paused = true)]
async fn stp_57_the_password_is_given_to_the_login_alone() {
    let config = CvsStepConfig {
        login: Some(template("pass-word")),
        ..config()
    };
    let (result, lines) = run(config.clone(), &[NEW]).await;
    assert_eq!(result, Results::Success);
    let login = ".$ cvs -f -d :pserver:me@h:/cvs login <pass-word\n";
    assert_eq!(lines[1], login);
    assert!(!lines[2..].concat().contains("pass-word"), "{lines:?}");
    let refused: Rule = (".$ cvs -f -d :pserver:me@h:/cvs login", 1, "");
    let (result, lines) = run(config, &[refused]).await;
    assert_eq!((result, lines.len()), (Results::Failure, 2));
}

#[tokio::test(start_paused = true)]
async fn stp_53_options_are_where_they_belong() {
    let config = CvsStepConfig {
        global_options: vec!["-R".to_owned()],
        extra_options: vec!["-kk".to_owned()],
        ..config()
    };
    let (_, lines) = run(config, &[NEW]).await;
    let checkout = "build$ cvs -f -R -z3 -d :pserver:me@h:/cvs checkout -P -d . -kk -r b p";
    assert_eq!(lines[3], checkout);
}
