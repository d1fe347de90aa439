//! What each form asks of the master.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::{Given, Wish};
use crate::botmaster::{Ask, FORCED, Forced};
use crate::control::{
    QuarantineAct, QuarantineBegin, RemarkAct, Request, SearchAct, SearchWish, Service,
};
use crate::model::{
    BuildNumber, BuilderName, ChangeNumber, Properties, RemarkKind, RequestId, SearchNumber, SetId,
    SlaveName, SourceStamp, SourceStamps, TestName,
};
use crate::schedulers::forcing::WrongField;
use crate::store::State;
use crate::view::{self, Builder, Queue, RequestState};
use crate::web::place;
use crate::web::refusal::Refusal;

/// The fields that each form has, and which are not parameters.
const OWN: [&str; 4] = ["csrf", "once", "next", "forcescheduler"];

/// How many properties the form of a builder without a force scheduler can have.
const PROPERTIES: usize = 9;

const DAY: Duration = Duration::from_secs(86_400);

type Asked = Result<Wish, Refusal>;

pub(super) fn force(state: &State, given: &Given) -> Asked {
    let builder = place::builder(state, &given.args)?;
    let mut forms = given.config.schedulers.iter();
    let has_form = forms.any(|s| s.kind.force().is_some() && s.builders.contains(&builder));
    if !has_form {
        return Ok(forced(given, builder));
    }
    let scheduler = Some(given.form.text("forcescheduler")).filter(|name| !name.is_empty());
    let fields = given.form.iter().filter(|(name, _)| !OWN.contains(name));
    let sent = fields.map(|(name, values)| {
        let values = values.iter().map(|value| Value::from(value.as_str()));
        (name.to_owned(), values.collect())
    });
    Ok(Wish::Build {
        builder,
        scheduler: scheduler.map(Into::into),
        sent: sent.collect(),
    })
}

/// A build on a builder without a force scheduler; what was filled in is checked as it would be for
/// one (FRC-05).
fn forced(given: &Given, builder: BuilderName) -> Wish {
    let text = |name: &str| given.form.text(name).trim().to_owned();
    let some = |name: &str| Some(text(name)).filter(|value| !value.is_empty());
    let patterns = &given.config.validation;
    let mut wrong = Vec::new();
    let mut properties = Properties::new();
    let mut check = |field: String, value: &str, is_right: bool| {
        if !is_right {
            let message = format!("{value:?} is not allowed");
            wrong.push(WrongField { field, message });
        }
        is_right
    };
    let (branch, revision) = (text("branch"), text("revision"));
    check(
        "branch".to_owned(),
        &branch,
        patterns.branch.is_match(&branch),
    );
    let is_right = patterns.revision.is_match(&revision);
    check("revision".to_owned(), &revision, is_right);
    for number in 1..=PROPERTIES {
        let field = |part: &str| format!("property{number}{part}");
        let Some(name) = some(&field("name")) else {
            continue;
        };
        let value = text(&field("value"));
        let is_name = patterns.property_name.is_match(&name) && Properties::is_valid_name(&name);
        let is_value = patterns.property_value.is_match(&value);
        if check(field("name"), &name, is_name) & check(field("value"), &value, is_value) {
            properties.set(&name, value, FORCED);
        }
    }
    if !wrong.is_empty() {
        return Wish::Wrong(builder, wrong);
    }
    if let Some(user) = &given.user {
        properties.set("owner", user.as_str(), FORCED);
    }
    one(Ask::Force(Box::new(Forced {
        builder,
        scheduler: None,
        soon: !text("soon").is_empty(),
        stamps: SourceStamps::from(SourceStamp {
            branch: some("branch"),
            revision: some("revision"),
            repository: text("repository"),
            project: text("project"),
            ..SourceStamp::default()
        }),
        reason: text("reason"),
        properties,
        priority: 0,
    })))
}

pub(super) fn ping(state: &State, given: &Given) -> Asked {
    let builder = place::builder(state, &given.args)?;
    Ok(one(Ask::Ping { builder }))
}

pub(super) fn stop(state: &State, given: &Given) -> Asked {
    let (builder, number) = build(state, given)?;
    Ok(one(Ask::StopBuild {
        builder,
        number,
        reason: given.form.text("comments").to_owned(),
    }))
}

pub(super) fn rebuild(state: &State, given: &Given) -> Asked {
    let (builder, number) = build(state, given)?;
    let request = Service::Rebuild {
        builder,
        number,
        reason: given.form.text("comments").to_owned(),
        updated: given.form.text("useSourcestamp") == "updated",
    };
    Ok(Wish::Requests(vec![request.into()]))
}

pub(super) fn cancel_of_builder(state: &State, given: &Given) -> Asked {
    let builder = place::builder(state, &given.args)?;
    let id = given.form.text("id");
    if id == "all" {
        return Ok(cancel(given, waiting(state, given, &[builder])?));
    }
    let row = match id.parse() {
        Ok(id) => state.request(RequestId(id))?,
        Err(_) => None,
    };
    let found = row.map(|row| view::Request::new(row, &given.live));
    let found = found.filter(|r| r.builder == builder && r.state == RequestState::Pending);
    let found = found.ok_or_else(|| not_found("waiting request", id))?;
    Ok(cancel(given, vec![found.id]))
}

pub(super) fn cancel_request(state: &State, given: &Given) -> Asked {
    let asked = given.args.part("request");
    let known = asked.parse().ok().map(RequestId);
    let known = known.ok_or_else(|| not_found("request", asked))?;
    match state.request(known)? {
        Some(_) => Ok(cancel(given, vec![known])),
        None => Err(not_found("request", asked)),
    }
}

pub(super) fn cancel_set(state: &State, given: &Given) -> Asked {
    let asked = given.args.part("set");
    let set = asked.parse().ok().map(SetId);
    let set = set.ok_or_else(|| not_found("build set", asked))?;
    if state.build_set(set)?.is_none() {
        return Err(not_found("build set", asked));
    }
    let requests = state.requests_of_set(set)?.into_iter();
    let requests = requests.map(|(row, _)| view::Request::new(row, &given.live));
    let waiting = requests.filter(|request| request.state == RequestState::Pending);
    Ok(cancel(given, waiting.map(|request| request.id).collect()))
}

pub(super) fn force_all(_: &State, given: &Given) -> Asked {
    Ok(force_each(given, all(given)))
}

pub(super) fn force_selected(state: &State, given: &Given) -> Asked {
    Ok(force_each(given, selected(state, given)?))
}

fn force_each(given: &Given, builders: Vec<BuilderName>) -> Wish {
    let some = |name: &str| {
        let text = given.form.text(name).trim();
        Some(text.to_owned()).filter(|text| !text.is_empty())
    };
    let each = builders.into_iter().map(|builder| {
        let forced = Forced {
            builder,
            scheduler: None,
            soon: false,
            stamps: SourceStamps::from(SourceStamp {
                branch: some("branch"),
                revision: some("revision"),
                ..SourceStamp::default()
            }),
            reason: given.form.text("comments").to_owned(),
            properties: Properties::new(),
            priority: 0,
        };
        Ask::Force(Box::new(forced)).into()
    });
    Wish::Requests(each.collect())
}

/// Stops the builds of a builder that contain a change, as Buildbot 0.8 does.
pub(super) fn stop_change(state: &State, given: &Given) -> Asked {
    let builder = place::builder(state, &given.args)?;
    stop_change_on(state, given, &[builder])
}

pub(super) fn stop_change_on_all(state: &State, given: &Given) -> Asked {
    stop_change_on(state, given, &all(given))
}

fn stop_change_on(state: &State, given: &Given, builders: &[BuilderName]) -> Asked {
    let asked = given.form.text("change");
    let change = asked.parse().ok().map(ChangeNumber);
    if change.is_none() && asked != "all" {
        return Err(not_found("change", asked));
    }
    let mut stops = Vec::new();
    for (builder, number) in running(state, given, builders)? {
        let build = state.build(&builder, number)?;
        let changes = build.map(|build| build.changes).unwrap_or_default();
        let is_meant = change.map_or(!changes.is_empty(), |change| changes.contains(&change));
        if is_meant {
            stops.push(stop_of(given, builder, number));
        }
    }
    Ok(Wish::Requests(stops))
}

pub(super) fn stop_all(state: &State, given: &Given) -> Asked {
    stop_each(state, given, &all(given))
}

pub(super) fn stop_selected(state: &State, given: &Given) -> Asked {
    stop_each(state, given, &selected(state, given)?)
}

fn stop_each(state: &State, given: &Given, builders: &[BuilderName]) -> Asked {
    let running = running(state, given, builders)?.into_iter();
    let stops = running.map(|(builder, number)| stop_of(given, builder, number));
    Ok(Wish::Requests(stops.collect()))
}

fn stop_of(given: &Given, builder: BuilderName, number: BuildNumber) -> Request {
    let reason = given.form.text("comments").to_owned();
    let stop = Ask::StopBuild {
        builder,
        number,
        reason,
    };
    stop.into()
}

/// The builds that run on these builders.
fn running(
    state: &State,
    given: &Given,
    builders: &[BuilderName],
) -> Result<Vec<(BuilderName, BuildNumber)>, Refusal> {
    let all = Builder::all(Some(state), None, &given.live, given.moment)?;
    let mut found = Vec::new();
    for builder in all.iter().filter(|b| builders.contains(&b.name)) {
        let running = builder.running.iter();
        found.extend(running.map(|build| (builder.name.clone(), build.number)));
    }
    Ok(found)
}

pub(super) fn cancel_all(state: &State, given: &Given) -> Asked {
    let builders = all(given);
    let waiting = waiting(state, given, &builders)?;
    Ok(cancel(given, waiting))
}

pub(super) fn cancel_selected(state: &State, given: &Given) -> Asked {
    let builders = selected(state, given)?;
    let waiting = waiting(state, given, &builders)?;
    Ok(cancel(given, waiting))
}

pub(super) fn pause(_: &State, given: &Given) -> Asked {
    Ok(one(Ask::Pause {
        slave: slave(given)?,
        by: given.user.clone().unwrap_or_default(),
        reason: given.form.text("reason").to_owned(),
    }))
}

pub(super) fn unpause(_: &State, given: &Given) -> Asked {
    let slave = slave(given)?;
    Ok(one(Ask::Unpause { slave }))
}

pub(super) fn pause_builder(state: &State, given: &Given) -> Asked {
    Ok(one(Ask::PauseBuilder {
        builder: place::builder(state, &given.args)?,
        by: given.user.clone().unwrap_or_default(),
        reason: given.form.text("reason").to_owned(),
    }))
}

pub(super) fn unpause_builder(state: &State, given: &Given) -> Asked {
    let builder = place::builder(state, &given.args)?;
    Ok(one(Ask::UnpauseBuilder { builder }))
}

pub(super) fn shut_down_slave(_: &State, given: &Given) -> Asked {
    Ok(one(Ask::Graceful {
        slave: slave(given)?,
        cancel: !given.form.text("cancel").is_empty(),
    }))
}

/// A search for the cause of a problem.
pub(super) fn bisect(state: &State, given: &Given) -> Asked {
    let problem = place::problem(state, &given.args)?;
    let row = state.problem(problem)?;
    let ends = row.and_then(|row| Some((row.problem.found.after?, row)));
    let (good, row) = ends.ok_or_else(|| Refusal::Argument {
        sentence: "The problem was never seen passing, so there is nothing to search.".to_owned(),
    })?;
    let wish = SearchWish {
        builder: row.builder,
        good: good.to_string(),
        bad: row.problem.found.first.to_string(),
        step: row.subject.step().map(str::to_owned),
        test: row.subject.test().map(TestName::shown),
        width: Some(1),
        runs: 1,
        fixed: false,
    };
    let act = Box::new(SearchAct::Begin(wish));
    Ok(Wish::Requests(vec![Service::Search { act }.into()]))
}

pub(super) fn stop_search(state: &State, given: &Given) -> Asked {
    let asked = given.args.part("search");
    let number = asked.parse().ok().map(SearchNumber);
    let row = number.map(|number| state.search(number)).transpose()?;
    let row = row.flatten().ok_or_else(|| Refusal::NotFound {
        what: "search",
        name: asked.to_owned(),
        near: Vec::new(),
    })?;
    let act = Box::new(SearchAct::Stop {
        search: row.record.number,
        reason: given.form.text("comments").to_owned(),
    });
    Ok(Wish::Requests(vec![Service::Search { act }.into()]))
}

/// Puts a test in quarantine on a builder, for some days.
pub(super) fn quarantine(state: &State, given: &Given) -> Asked {
    let until = match given.form.text("days") {
        "" => None,
        days => match days.parse::<u32>() {
            Ok(days) if (1..=90).contains(&days) => Some(given.moment.now + DAY * days),
            Ok(_) | Err(_) => {
                return Err(Refusal::Argument {
                    sentence: "The days are an integer from 1 to 90.".to_owned(),
                });
            }
        },
    };
    let begin = QuarantineBegin {
        owner: given.form.text("owner").to_owned(),
        reason: given.form.text("reason").to_owned(),
        until,
    };
    in_quarantine(state, given, Some(begin))
}

pub(super) fn end_quarantine(state: &State, given: &Given) -> Asked {
    in_quarantine(state, given, None)
}

fn in_quarantine(state: &State, given: &Given, begin: Option<QuarantineBegin>) -> Asked {
    let builder = place::builder(state, &given.args)?;
    let asked = given.args.part("test");
    let known = match place::test(state, asked)? {
        Some(hash) => state.test_name(hash)?,
        None => None,
    };
    let act = Box::new(QuarantineAct {
        test: known.map_or_else(|| asked.to_owned(), |name| name.shown()),
        builder: Some(builder),
        begin,
    });
    Ok(Wish::Requests(vec![Service::Quarantine { act }.into()]))
}

/// Says something of a problem. `hours` is how long a claim or a mute holds.
pub(super) fn remark(state: &State, given: &Given, kind: RemarkKind) -> Asked {
    let problem = place::problem(state, &given.args)?;
    let hours = match given.form.text("hours") {
        "" => None,
        hours => Some(hours.parse::<u16>().map_err(|_| Refusal::Argument {
            sentence: "The hours are an integer.".to_owned(),
        })?),
    };
    let person = given.form.text("person");
    let is_named = !person.is_empty() && !kind.is_own();
    let act = RemarkAct {
        problem,
        kind,
        person: is_named.then(|| person.to_owned()),
        until: hours.map(|hours| given.moment.now + Duration::from_secs(u64::from(hours) * 3600)),
        text: given.form.text("text").to_owned(),
    };
    let act = Box::new(act);
    Ok(Wish::Requests(vec![Service::Problem { act }.into()]))
}

pub(super) fn shut_down(_: &State, _: &Given) -> Asked {
    Ok(one(Ask::CleanShutdown))
}

pub(super) fn cancel_shutdown(_: &State, _: &Given) -> Asked {
    Ok(one(Ask::CancelShutdown))
}

pub(super) fn reconfigure(_: &State, _: &Given) -> Asked {
    let request = Service::Reconfigure { dry_run: false };
    Ok(Wish::Requests(vec![request.into()]))
}

fn one(ask: Ask) -> Wish {
    Wish::Requests(vec![ask.into()])
}

fn cancel(given: &Given, requests: Vec<RequestId>) -> Wish {
    let each = requests.into_iter();
    let each = each.map(|request| Ask::Cancel {
        request,
        reason: given.form.text("comments").to_owned(),
    });
    Wish::Requests(each.map(Request::from).collect())
}

/// The requests that wait for these builders.
fn waiting(
    state: &State,
    given: &Given,
    builders: &[BuilderName],
) -> Result<Vec<RequestId>, Refusal> {
    let queue = Queue {
        is_pending: true,
        builders: Some(builders),
        after: None,
        ..Queue::default()
    };
    let all = queue.read(state, &given.live, &BTreeMap::new(), u32::MAX)?;
    Ok(all.into_iter().map(|request| request.id).collect())
}

/// The builders of the configuration.
fn all(given: &Given) -> Vec<BuilderName> {
    let builders = given.config.builders.iter();
    builders.map(|builder| builder.name.clone()).collect()
}

/// The builders that were selected.
fn selected(state: &State, given: &Given) -> Result<Vec<BuilderName>, Refusal> {
    let known = state.builder_names()?;
    let mut selected = Vec::new();
    for name in given.form.all("selected") {
        let found = known.iter().find(|known| known.as_str() == name);
        let found = found.ok_or_else(|| not_found("builder", name))?;
        selected.push(found.clone());
    }
    match selected.is_empty() {
        true => Err(Refusal::Argument {
            sentence: "No builder was selected.".to_owned(),
        }),
        false => Ok(selected),
    }
}

fn build(state: &State, given: &Given) -> Result<(BuilderName, BuildNumber), Refusal> {
    let builder = place::builder(state, &given.args)?;
    let asked = given.args.part("build");
    let number = asked.parse().ok().map(BuildNumber);
    let number = number.ok_or_else(|| not_found("build", asked))?;
    match state.build(&builder, number)? {
        Some(_) => Ok((builder, number)),
        None => Err(not_found("build", &format!("{builder} {asked}"))),
    }
}

fn slave(given: &Given) -> Result<SlaveName, Refusal> {
    let asked = given.args.part("slave");
    let mut slaves = given.config.slaves.iter();
    let found = slaves.find(|slave| slave.name.as_str() == asked);
    let found = found.map(|slave| slave.name.clone());
    found.ok_or_else(|| not_found("slave", asked))
}

fn not_found(what: &'static str, name: &str) -> Refusal {
    Refusal::NotFound {
        what,
        name: name.to_owned(),
        near: Vec::new(),
    }
}
