//! Problems of the infrastructure: builds that end without saying anything about the sources
//! (INF-01 to INF-04).

use std::collections::BTreeSet;

use crate::model::{BuilderName, ProblemNumber, ProblemSubject, SlaveName};

/// How many builds are looked at (INF-03).
pub const WINDOW: usize = 20;

/// After this number of builds without an answer, a builder has a problem (INF-02).
const IN_A_ROW: usize = 2;

/// The master has a problem only if at least this number of builders has one (INF-03).
const ALL_AT_ONCE: usize = 3;

/// How a build has ended. One that people stopped, or that was skipped, is not among them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ended {
    /// The builder.
    pub builder: BuilderName,
    /// The slave.
    pub slave: SlaveName,
    /// What it says about the sources.
    pub says: Says,
}

/// What a build says about the sources.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Says {
    /// They are good, or they are bad.
    Something,
    /// Nothing.
    Nothing,
    /// Nothing: its slave was lost.
    SlaveLost,
}

/// An open problem of the infrastructure.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trouble {
    /// Its number.
    pub number: ProblemNumber,
    /// What it is about.
    pub subject: ProblemSubject,
    /// The builder that has it, or that found it.
    pub builder: BuilderName,
}

/// What the end of a build makes of the problems.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Turn {
    /// There is a new one.
    Opened(ProblemSubject),
    /// The build had this one, too.
    Seen(ProblemNumber),
    /// It is over.
    Resolved(ProblemNumber),
    /// It is a part of one that is larger.
    Withdrawn(ProblemNumber),
}

/// What follows from the newest of the `builds`, which are the last ones in the order of their
/// ends.
#[must_use]
pub fn turns(builds: &[Ended], open: &[Trouble]) -> Vec<Turn> {
    let builds = &builds[builds.len().saturating_sub(WINDOW)..];
    let Some(now) = builds.last() else {
        return Vec::new();
    };
    let mut turns = Vec::new();
    if now.says == Says::Something {
        let over = open.iter().filter(|trouble| is_about(trouble, now));
        turns.extend(over.map(|trouble| Turn::Resolved(trouble.number)));
    }
    let is_over = |trouble: &Trouble| turns.contains(&Turn::Resolved(trouble.number));
    let open: Vec<_> = open.iter().filter(|trouble| !is_over(trouble)).collect();
    let larger = open.iter().filter(|trouble| is_about(trouble, now));
    let larger = larger.max_by_key(|trouble| &trouble.subject);
    let found = subject(builds);
    match (larger, found) {
        (Some(known), found) if found.as_ref().is_none_or(|new| *new <= known.subject) => {
            let is_seen = now.says != Says::Something;
            turns.extend(is_seen.then_some(Turn::Seen(known.number)));
        }
        (_, Some(found)) => {
            let is_larger = found != ProblemSubject::Builder;
            if is_larger && open.iter().any(|trouble| trouble.subject == found) {
                return turns;
            }
            let parts = open.iter();
            let parts = parts.filter(|trouble| is_part(trouble, &found, builds));
            turns.extend(parts.map(|trouble| Turn::Withdrawn(trouble.number)));
            turns.push(Turn::Opened(found));
        }
        (_, None) => {}
    }
    turns
}

/// Whether a build is one of those that the problem is about.
fn is_about(trouble: &Trouble, build: &Ended) -> bool {
    match &trouble.subject {
        ProblemSubject::Builder => trouble.builder == build.builder,
        ProblemSubject::Slave(slave) => *slave == build.slave,
        ProblemSubject::Master => true,
        ProblemSubject::Step(_) | ProblemSubject::Test { .. } => false,
    }
}

/// Whether a problem is explained by a larger one.
fn is_part(trouble: &Trouble, larger: &ProblemSubject, builds: &[Ended]) -> bool {
    let is_of_builder = trouble.subject == ProblemSubject::Builder;
    match larger {
        ProblemSubject::Slave(slave) if is_of_builder => {
            let mut its = builds
                .iter()
                .filter(|build| build.builder == trouble.builder)
                .filter(|build| build.says != Says::Something);
            its.all(|build| build.slave == *slave)
        }
        ProblemSubject::Master => trouble.subject != ProblemSubject::Master,
        ProblemSubject::Step(_)
        | ProblemSubject::Test { .. }
        | ProblemSubject::Builder
        | ProblemSubject::Slave(_) => false,
    }
}

/// What the newest builds show to be broken.
fn subject(builds: &[Ended]) -> Option<ProblemSubject> {
    let now = builds.last()?;
    let silent = builds.iter().rev();
    let silent: Vec<_> = silent
        .take_while(|build| build.says != Says::Something)
        .collect();
    let builders: BTreeSet<_> = silent.iter().map(|build| &build.builder).collect();
    let slaves: BTreeSet<_> = silent.iter().map(|build| &build.slave).collect();
    if builders.len() >= ALL_AT_ONCE && slaves.len() > 1 {
        let mut others = builds.iter().map(|build| &build.builder);
        if others.all(|builder| builders.contains(builder)) {
            return Some(ProblemSubject::Master);
        }
    }
    let all: BTreeSet<_> = builds.iter().map(|build| &build.slave).collect();
    let mut broken = all.into_iter().filter(|slave| is_broken(slave, builds));
    if let Some(slave) = broken.next() {
        return Some(ProblemSubject::Slave(slave.clone()));
    }
    let its = builds.iter().rev();
    let its = its.filter(|build| build.builder == now.builder);
    let in_a_row = its.take_while(|build| build.says != Says::Something);
    (in_a_row.count() >= IN_A_ROW).then_some(ProblemSubject::Builder)
}

/// Whether builds of two builders on this slave say nothing, while one of the builders is well
/// elsewhere, or the slave was lost each time.
fn is_broken(slave: &SlaveName, builds: &[Ended]) -> bool {
    let here = builds.iter().rev().filter(|build| build.slave == *slave);
    let silent: Vec<_> = here
        .take_while(|build| build.says != Says::Something)
        .collect();
    let builders: BTreeSet<_> = silent.iter().map(|build| &build.builder).collect();
    let is_well_elsewhere = |build: &Ended| {
        build.slave != *slave && build.says == Says::Something && builders.contains(&build.builder)
    };
    builders.len() > 1
        && (silent.iter().all(|build| build.says == Says::SlaveLost)
            || builds.iter().any(is_well_elsewhere))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::{Value, json};

    use super::*;

    const CASES: &str = include_str!("../../tests/data/infra-cases.json");

    /// The problems after these builds, as the cases have them.
    fn problems(builds: &[Value]) -> Vec<Value> {
        let mut ended = Vec::new();
        let mut open: Vec<Trouble> = Vec::new();
        let mut all: Vec<(Trouble, bool)> = Vec::new();
        for build in builds {
            let says = match build["end"].as_str().unwrap() {
                "exception" | "source failed" => Says::Nothing,
                "retry" => Says::SlaveLost,
                "stopped" | "superseded" => continue,
                "success" | "failure" => Says::Something,
                other => panic!("{other}"),
            };
            let builder = BuilderName::from(build["builder"].as_str().unwrap());
            ended.push(Ended {
                builder: builder.clone(),
                slave: SlaveName::from(build["slave"].as_str().unwrap()),
                says,
            });
            for turn in turns(&ended, &open) {
                match turn {
                    Turn::Opened(subject) => {
                        let trouble = Trouble {
                            number: ProblemNumber(all.len() as u64),
                            subject,
                            builder: builder.clone(),
                        };
                        open.push(trouble.clone());
                        all.push((trouble, true));
                    }
                    Turn::Seen(_) => {}
                    Turn::Resolved(number) => {
                        open.retain(|one| one.number != number);
                        for one in all.iter_mut().filter(|one| one.0.number == number) {
                            one.1 = false;
                        }
                    }
                    Turn::Withdrawn(number) => {
                        open.retain(|one| one.number != number);
                        all.retain(|one| one.0.number != number);
                    }
                }
            }
        }
        let told = all.into_iter().map(|(trouble, is_open)| {
            let subject = match &trouble.subject {
                ProblemSubject::Builder => format!("builder {}", trouble.builder),
                ProblemSubject::Slave(slave) => format!("slave {slave}"),
                ProblemSubject::Step(_) | ProblemSubject::Test { .. } | ProblemSubject::Master => {
                    trouble.subject.kind().to_owned()
                }
            };
            let mut told = json!({"kind": "infrastructure", "subject": subject});
            if !is_open {
                told["state"] = json!("resolved");
            }
            told
        });
        told.collect()
    }

    #[test]
    fn inf_02_inf_03_inf_04_cases_001_to_008_of_infrastructure() {
        let cases: Value = serde_json::from_str(CASES).unwrap();
        for case in &cases["cases"].as_array().unwrap()[..8] {
            let builds = case["given"]["builds"].as_array().unwrap();
            let expected = case["expect"]["problems"].as_array().unwrap();
            assert_eq!(problems(builds), *expected, "{}", case["id"]);
        }
    }

    #[test]
    fn inf_03_all_builders_at_once_are_a_problem_of_the_master() {
        let mut builds = vec![json!({"builder": "b1", "slave": "s1", "end": "success"})];
        for number in 1..=3 {
            let (builder, slave) = (format!("b{number}"), format!("s{number}"));
            builds.push(json!({"builder": builder, "slave": slave, "end": "exception"}));
        }
        let master = json!({"kind": "infrastructure", "subject": "master"});
        assert_eq!(problems(&builds), std::slice::from_ref(&master));
        builds.push(json!({"builder": "b1", "slave": "s1", "end": "exception"}));
        assert_eq!(problems(&builds), [master]);
        builds.push(json!({"builder": "b2", "slave": "s9", "end": "failure"}));
        assert_eq!(problems(&builds)[0]["state"], "resolved");
        // A builder that is well is not a part of it.
        builds.insert(1, json!({"builder": "b9", "slave": "s1", "end": "success"}));
        let builder = json!({"kind": "infrastructure", "subject": "builder b1"});
        assert_eq!(problems(&builds), [builder]);
    }
}
