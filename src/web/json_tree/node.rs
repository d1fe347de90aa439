//! The nodes of the tree: which there are, and what each shows.

use std::sync::Arc;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::help::help;
use super::tree::Tree;
use super::{of_tests, things};
use crate::model::{BuildNumber, BuilderName, Change, SlaveName, SourceStamps};
use crate::view::{Brief, Build, old_json};
use crate::web::address;
use crate::web::refusal::Refusal;

/// A node.
#[derive(Debug)]
pub(super) enum Node {
    Root,
    Builders,
    Builder(BuilderName),
    Builds(BuilderName),
    AllBuilds(BuilderName),
    Build(Box<Build>),
    Steps(Box<Build>),
    Step(Box<Build>, usize),
    Tests(Box<Build>),
    Test(Box<Build>, String),
    SourceStamp(Box<Build>),
    Changes(Arc<SourceStamps>),
    Change(Arc<Change>),
    PendingBuilds(BuilderName),
    SlavesOf(BuilderName),
    Slaves,
    Slave(SlaveName),
    Project,
    ChangeSources,
    Metrics,
    /// What the node of this address is.
    Help(Box<Self>),
}

/// How many of all builds are shown at once, if the address does not say.
const USUAL: u32 = 100;

/// Maximum number of builds in the list of their numbers.
const MOST_NUMBERS: u32 = 1000;

impl<'a> Tree<'a> {
    /// The node at `path`, which is below the root and may have slashes at its ends.
    pub(super) fn find(self, path: &str) -> Result<Node, Refusal> {
        let segments = path.split('/').filter(|segment| !segment.is_empty());
        let segments: Vec<_> = segments.map(decoded).collect();
        let segments: Vec<_> = segments.iter().map(String::as_str).collect();
        if let [above @ .., "help"] = segments.as_slice() {
            let of = self.resolve(above)?;
            return of
                .map(|node| Node::Help(Box::new(node)))
                .ok_or_else(|| missing(path));
        }
        self.resolve(&segments)?.ok_or_else(|| missing(path))
    }

    fn resolve(self, segments: &[&str]) -> Result<Option<Node>, Refusal> {
        Ok(match segments {
            [] => Some(Node::Root),
            ["builders"] => Some(Node::Builders),
            ["builders", name, below @ ..] => match self.builder(name)? {
                Some(builder) => self.below_builder(builder, below)?,
                None => None,
            },
            ["slaves"] => Some(Node::Slaves),
            ["slaves", name] => self.slave(name)?.map(Node::Slave),
            ["project"] => Some(Node::Project),
            ["change_sources"] => Some(Node::ChangeSources),
            ["metrics"] => Some(Node::Metrics),
            _ => None,
        })
    }

    fn below_builder(self, builder: BuilderName, below: &[&str]) -> Result<Option<Node>, Refusal> {
        Ok(match below {
            [] => Some(Node::Builder(builder)),
            ["builds"] => Some(Node::Builds(builder)),
            ["builds", "_all"] => Some(Node::AllBuilds(builder)),
            ["builds", "_all", number, below @ ..] | ["builds", number, below @ ..] => {
                match self.build(&builder, number)? {
                    Some(build) => self.below_build(Box::new(build), below)?,
                    None => None,
                }
            }
            ["pendingBuilds"] => Some(Node::PendingBuilds(builder)),
            ["slaves"] => Some(Node::SlavesOf(builder)),
            ["slaves", name] => {
                let slave = self.slave(name)?;
                let slaves = things::builder(self, &builder)?.slaves;
                slave
                    .filter(|slave| slaves.contains(slave))
                    .map(Node::Slave)
            }
            _ => None,
        })
    }

    fn below_build(self, build: Box<Build>, below: &[&str]) -> Result<Option<Node>, Refusal> {
        Ok(match below {
            [] => Some(Node::Build(build)),
            ["steps"] => Some(Node::Steps(build)),
            ["steps", name] => {
                let names = old_json::steps(&build);
                let by_number = name.parse().ok().filter(|number| *number < names.len());
                let by_name = || names.iter().position(|known| known == name);
                by_number
                    .or_else(by_name)
                    .map(|step| Node::Step(build, step))
            }
            ["tests"] => Some(Node::Tests(build)),
            ["tests", name] => {
                let tests = of_tests::tests(self, &build)?;
                let is_there = tests.contains_key(*name);
                is_there.then(|| Node::Test(build, (*name).to_owned()))
            }
            ["source_stamp"] => Some(Node::SourceStamp(build)),
            ["source_stamp", "changes"] => {
                Some(Node::Changes(old_json::stamps(self.state, &build)?))
            }
            ["source_stamp", "changes", number] => {
                let stamps = old_json::stamps(self.state, &build)?;
                let mut changes = stamps.changes();
                let found = changes.find(|change| change.number.to_string() == *number);
                found.map(|change| Node::Change(Arc::clone(change)))
            }
            _ => None,
        })
    }

    fn builder(self, name: &str) -> Result<Option<BuilderName>, Refusal> {
        let names = self.state.builder_names()?;
        Ok(names.into_iter().find(|known| known.as_str() == name))
    }

    fn slave(self, name: &str) -> Result<Option<SlaveName>, Refusal> {
        let mut slaves = self.state.slaves()?.into_iter();
        let found = slaves.find(|known| known.name.as_str() == name);
        Ok(found.map(|slave| slave.name))
    }

    /// A build by its number; numbers below zero count from the last one.
    fn build(self, builder: &BuilderName, number: &str) -> Result<Option<Build>, Refusal> {
        let Ok(number) = number.parse::<i64>() else {
            return Ok(None);
        };
        let number = match u64::try_from(number) {
            Ok(number) => Some(BuildNumber(number)),
            Err(_) => {
                let from_end = number.unsigned_abs().min(MOST_NUMBERS.into());
                let from_end = u32::try_from(from_end).unwrap_or(MOST_NUMBERS);
                let newest = self.newest(builder, None, from_end)?;
                let found = newest.last().map(|build| build.number);
                found.filter(|_| newest.len() == usize::try_from(from_end).unwrap_or(0))
            }
        };
        match number {
            Some(number) => {
                let moment = self.scene.moment();
                Ok(Build::find(self.state, builder, number, moment)?)
            }
            None => Ok(None),
        }
    }

    /// The builds of a builder that the arguments `max` and `before` ask for.
    fn page_of_builds(self, builder: &BuilderName) -> Result<Vec<Brief>, Refusal> {
        let args = &self.scene.args;
        let max = args.number("max").and_then(|max| u32::try_from(max).ok());
        let before = args.number("before").map(BuildNumber);
        self.newest(builder, before, max.unwrap_or(USUAL))
    }
}

impl Node {
    /// What the node shows.
    pub(super) fn show(&self, tree: Tree<'_>) -> Result<Value, Refusal> {
        Ok(match self {
            Self::Root => {
                let mut root = Map::new();
                for (name, node) in [
                    ("builders", Self::Builders),
                    ("change_sources", Self::ChangeSources),
                    ("project", Self::Project),
                    ("slaves", Self::Slaves),
                    ("metrics", Self::Metrics),
                ] {
                    root.insert(name.to_owned(), node.show(tree)?);
                }
                Value::Object(root)
            }
            Self::Builders => things::builders(tree)?,
            Self::Builder(name) => things::shown_builder(tree, &things::builder(tree, name)?)?,
            Self::Builds(builder) => {
                let newest = tree.newest(builder, None, MOST_NUMBERS)?;
                let numbers = newest
                    .iter()
                    .map(|build| (build.number.to_string(), Value::Null));
                Value::Object(numbers.collect())
            }
            Self::AllBuilds(builder) => {
                let mut all = Map::new();
                for brief in tree.page_of_builds(builder)? {
                    if let Some(build) = tree.build(builder, &brief.number.to_string())? {
                        let shown = old_json::build(tree.around(), &build)?;
                        all.insert(brief.number.to_string(), shown);
                    }
                }
                Value::Object(all)
            }
            Self::Build(build) => old_json::build(tree.around(), build)?,
            Self::Steps(build) => {
                let steps = (0..old_json::steps(build).len())
                    .map(|step| (step.to_string(), old_json::step(tree.around(), build, step)));
                Value::Object(steps.collect())
            }
            Self::Step(build, step) => old_json::step(tree.around(), build, *step),
            Self::Tests(build) => Value::Object(of_tests::tests(tree, build)?),
            Self::Test(build, name) => {
                let mut tests = of_tests::tests(tree, build)?;
                tests.remove(name).unwrap_or(Value::Null)
            }
            Self::SourceStamp(build) => {
                let stamps = old_json::stamps(tree.state, build)?;
                old_json::source_stamp(tree.around(), stamps.first())?
            }
            Self::Changes(stamps) => {
                let changes = stamps.changes();
                let changes = changes.map(|change| {
                    (
                        change.number.to_string(),
                        old_json::change(tree.around(), change),
                    )
                });
                Value::Object(changes.collect())
            }
            Self::Change(change) => old_json::change(tree.around(), change),
            Self::PendingBuilds(builder) => things::pending(tree, builder)?,
            Self::SlavesOf(builder) => {
                let slaves = things::builder(tree, builder)?.slaves;
                things::slaves(tree, |slave| slaves.contains(slave))?
            }
            Self::Slaves => things::slaves(tree, |_| true)?,
            Self::Slave(name) => {
                let mut slaves = things::slaves(tree, |slave| slave == name)?;
                slaves
                    .get_mut(name.as_str())
                    .map_or(Value::Null, Value::take)
            }
            Self::Project => things::project(tree.scene),
            Self::ChangeSources => things::change_sources(tree.scene),
            Self::Metrics => things::metrics(tree)?,
            Self::Help(node) => {
                let (what, below) = node.words();
                help(what, below)
            }
        })
    }

    /// What the node is, and what is below it.
    const fn words(&self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Root => (
                "All of the status; builds are not included.",
                &["builders", "change_sources", "metrics", "project", "slaves"],
            ),
            Self::Builders => ("All builders, by name.", &["BUILDER"]),
            Self::Builder(_) => ("A builder.", &["builds", "pendingBuilds", "slaves"]),
            Self::Builds(_) => (
                "The numbers of the newest builds. A number below zero counts from the last build.",
                &["NUMBER", "_all"],
            ),
            Self::AllBuilds(_) => (
                "The newest builds, as many as the argument max says, those below the number before.",
                &["NUMBER"],
            ),
            Self::Build(_) => ("A build.", &["source_stamp", "steps", "tests"]),
            Self::Steps(_) => ("The steps of a build, by number.", &["NUMBER", "NAME"]),
            Self::Step(..) => ("A step of a build.", &[]),
            Self::Tests(_) => ("The tests of a build, by their names with dots.", &["TEST"]),
            Self::Test(..) => ("A test of a build.", &[]),
            Self::SourceStamp(_) => ("What a build was made of.", &["changes"]),
            Self::Changes(_) => ("The changes of a source stamp, by number.", &["NUMBER"]),
            Self::Change(_) => ("A change.", &[]),
            Self::PendingBuilds(_) => ("The requests that wait for a builder.", &[]),
            Self::SlavesOf(_) => ("The slaves of a builder, by name.", &["SLAVE"]),
            Self::Slaves => ("All slaves, by name.", &["SLAVE"]),
            Self::Slave(_) => ("A slave.", &[]),
            Self::Project => ("The project that this master builds.", &[]),
            Self::ChangeSources => ("The change sources, by number.", &[]),
            Self::Metrics => ("What the master counts. /metrics has more.", &[]),
            Self::Help(_) => ("What a node is.", &[]),
        }
    }

    /// Where the rest is, if this is not all.
    pub(super) fn next(&self, tree: Tree<'_>) -> Result<Option<String>, Refusal> {
        let Self::AllBuilds(builder) = self else {
            return Ok(None);
        };
        let shown = tree.page_of_builds(builder)?;
        let Some(last) = shown.last().filter(|last| last.number.0 > 0) else {
            return Ok(None);
        };
        let path = format!("/json{}/builds/_all", address::builder(builder));
        let before = address::with_args(&path, &[("max", shown.len()), ("before", 0)]);
        Ok(Some(
            before.replace("before=0", &format!("before={}", last.number)),
        ))
    }
}

/// A part of a path, decoded.
pub(super) fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

fn missing(path: &str) -> Refusal {
    Refusal::NotFound {
        what: "node",
        name: format!("/json{path}"),
        near: Vec::new(),
    }
}
