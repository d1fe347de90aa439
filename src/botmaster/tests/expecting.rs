//! What is expected of builds after others have succeeded (section 19).

use super::*;
use crate::model::{Effort, Expectations, Forecast};

fn effort(secs: f64) -> Effort {
    Effort {
        secs,
        output: BTreeMap::new(),
    }
}

/// A factory of steps, which are names with further TOML.
fn factory(steps: &[&str]) -> Arc<FactoryConfig> {
    let steps = steps.iter().map(|step| {
        let (name, more) = step.split_once(',').unwrap_or((step, ""));
        format!("{{ type = \"ShellCommand\", command = \"x\", name = {name:?}, {more} }},")
    });
    let text = format!(
        "[[slaves]]\nname = \"s\"\ntype = \"local\"\n[factories.f]\nsteps = [{}]\n\
         [[builders]]\nname = \"b\"\nslaves = [\"s\"]\nfactory = \"f\"\n",
        steps.collect::<String>()
    );
    let zone = Ok(crate::model::Zone::UTC);
    let (config, _) = crate::config::parse(&text, "master.toml", &zone).unwrap();
    Arc::clone(&config.builders[0].factory)
}

/// Builder `b` on slave `s` with a factory of these steps.
fn config_with(steps: &[&str]) -> Config {
    let mut config = config(&[("b", &["s"])]);
    for builder in &mut config.builders {
        let builder = Arc::make_mut(builder);
        builder.factory = factory(steps);
    }
    config
}

/// A master whose builder has these steps, with a slave.
fn harness(steps: &[&str]) -> Harness {
    let mut h = Harness::new(config_with(steps));
    h.attach("s");
    h
}

/// What is expected of the build that a change starts, which then ends with `result` after its
/// steps took so long.
fn build(h: &mut Harness, result: Results, took: &[(&str, f64)]) -> Forecast {
    h.change("b");
    let plan = h.run();
    let started = h.out.iter().find_map(|command| match command {
        Command::Announce(Event::Build(BuildEvent::Started(start))) => Some(start.forecast.clone()),
        _ => None,
    });
    h.told();
    let took = took
        .iter()
        .map(|(step, secs)| ((*step).to_owned(), Some(effort(*secs))));
    let outcome = BuildOutcome {
        took: took.collect(),
        ..outcome(result, None)
    };
    h.input(BuildInput::Finished { outcome }.of(plan.build));
    h.persisted();
    started.unwrap()
}

fn forecast(steps: &[(&str, Option<f64>)]) -> Forecast {
    let steps = steps.iter();
    Forecast(
        steps
            .map(|(name, secs)| ((*name).to_owned(), secs.map(effort)))
            .collect(),
    )
}

#[test]
fn prg_03_only_a_build_that_succeeds_changes_what_is_expected() {
    let mut h = harness(&["compile", "test"]);
    let took = |secs| [("compile", secs), ("test", 8.0)];
    let known = |secs| forecast(&[("compile", Some(secs)), ("test", Some(8.0))]);
    let first = build(&mut h, Results::Failure, &took(1.0));
    assert_eq!(first, forecast(&[("compile", None), ("test", None)]));
    assert_eq!(build(&mut h, Results::Success, &took(100.0)), first);
    assert_eq!(build(&mut h, Results::Warnings, &took(1.0)), known(100.0));
    assert_eq!(build(&mut h, Results::Success, &took(200.0)), known(100.0));
    assert_eq!(build(&mut h, Results::Success, &took(100.0)), known(150.0));
    assert_eq!(build(&mut h, Results::Success, &took(1.0)), known(125.0));
}

#[test]
fn what_is_learned_is_on_record_with_the_end_of_the_build() {
    let mut h = harness(&["compile"]);
    h.change("b");
    let plan = h.run();
    h.out.clear();
    let outcome = BuildOutcome {
        took: [("compile".to_owned(), Some(effort(3.0)))].into(),
        ..outcome(Results::Success, None)
    };
    let build = plan.build;
    h.input(BuildInput::Finished { outcome }.of(build));
    let together = h.out.iter().any(|command| {
        let Command::Persist { ops, .. } = command else {
            return false;
        };
        let expected = Expectations([("compile".to_owned(), effort(3.0))].into());
        let learned = Op::StepsExpected {
            builder: "b".into(),
            expected,
        };
        ops.iter().any(|op| matches!(op, Op::BuildFinished { .. })) && ops.contains(&learned)
    });
    assert!(together, "{:?}", h.out);
}

#[test]
fn prg_04_steps_that_keep_their_names_are_known_after_a_reconfiguration() {
    let mut h = harness(&["old", "kept"]);
    build(&mut h, Results::Success, &[("old", 5.0), ("kept", 6.0)]);
    h.reconfigure(config_with(&["kept", "new"]));
    let known = build(&mut h, Results::Failure, &[]);
    assert_eq!(known, forecast(&[("kept", Some(6.0)), ("new", None)]));
    // A builder that comes back is the same.
    h.reconfigure(config(&[("another", &["s"])]));
    h.answer_list();
    h.reconfigure(config_with(&["kept", "new"]));
    h.answer_list();
    let known = build(&mut h, Results::Failure, &[]);
    assert_eq!(known, forecast(&[("kept", Some(6.0)), ("new", None)]));
}

#[test]
fn prg_04_a_restart_keeps_what_was_expected() {
    let expected = Expectations([("kept".to_owned(), effort(6.0))].into());
    let recovered = Recovered {
        expectations: [("b".into(), expected)].into(),
        ..Recovered::default()
    };
    let mut h = Harness::recovered(config_with(&["kept", "new"]), recovered);
    h.attach("s");
    let known = build(&mut h, Results::Success, &[("kept", 8.0), ("new", 1.0)]);
    assert_eq!(known, forecast(&[("kept", Some(6.0)), ("new", None)]));
    let known = build(&mut h, Results::Success, &[]);
    assert_eq!(known, forecast(&[("kept", Some(7.0)), ("new", Some(1.0))]));
}

#[test]
fn steps_are_told_apart_by_unique_names_and_without_progress_left_out() {
    let mut h = harness(&["make", "make", "lint,use_progress = false"]);
    let known = build(&mut h, Results::Success, &[("make", 5.0), ("make_1", 6.0)]);
    assert_eq!(known, forecast(&[("make", None), ("make_1", None)]));
    let known = build(&mut h, Results::Success, &[]);
    assert_eq!(
        known,
        forecast(&[("make", Some(5.0)), ("make_1", Some(6.0))])
    );
}
