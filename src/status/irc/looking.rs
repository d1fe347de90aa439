//! What a command sees of the master: read from the state, for the one who asks (MAY-04).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::chat::{
    BuilderSight, Ended, LastSight, Needs, Order, ProblemSight, RunningSight, Sight, Started,
};
use crate::config::{Config, IrcConfig};
use crate::control::{Caller, Control};
use crate::model::journal::BuildStart;
use crate::model::{
    AttributeKind, BuildId, BuilderName, Door, Ending, ProblemNumber, RequestId, Timestamp, Unseen,
    build_url,
};
use crate::store::read::ProblemFilter;
use crate::store::{State, StoreError};
use crate::view::{self, Builder, Moment, Problem};

/// Problems that are looked at.
const MOST_PROBLEMS: u32 = 200;

/// What `order` sees. In a channel, that is what anyone may view.
///
/// # Errors
/// The state cannot be read.
pub(super) async fn sight(
    control: &Control,
    irc: &Arc<IrcConfig>,
    order: &Order,
    caller: &Caller,
) -> Result<Sight, String> {
    let config = control.config();
    let mut sight = Sight {
        now: control.clock().wall(),
        title: config.title.clone(),
        url: config.buildbot_url.clone(),
        validation: config.validation.clone(),
        is_stopping: control.newsroom().is_shutting_down(),
        person: caller.user().map(str::to_owned),
        is_open: irc.allow_force,
        ..Sight::default()
    };
    let needs = order.needs();
    if needs == Needs::Nothing {
        return Ok(sight);
    }
    let unseen = match &order.said.channel {
        Some(_) => seen_by_anyone(control, &config).await,
        None => control
            .unseen_by(caller, &config)
            .await
            .map_err(|e| e.to_string()),
    }?;
    if needs == Needs::Reasons {
        sight.reasons = reasons(control, order.first_word(), &unseen).await;
        return Ok(sight);
    }
    let live = control.snapshot().await?;
    let (irc, word) = (Arc::clone(irc), order.first_word().to_owned());
    let looking = control.reader().read(move |state| {
        match needs {
            Needs::Builders => {
                let moment = Moment {
                    is_running: true,
                    now: sight.now,
                };
                let all = Builder::all(Some(state), Some(&config), &live, moment)?;
                for builder in all
                    .into_iter()
                    .filter(|b| !unseen.builders.contains(&b.name))
                {
                    sight
                        .builders
                        .push(of_builder(state, (&config, &irc), builder, moment)?);
                }
            }
            Needs::People => {
                let register = view::register(state, &config)?;
                sight.people = register.iter().map(|person| person.name.clone()).collect();
            }
            Needs::Problems => sight.problems = problems(state, &word, &unseen, sight.now)?,
            Needs::Duties => sight.duties = view::on_duty(state, &config, sight.now)?,
            Needs::Nothing | Needs::Reasons => {}
        }
        Ok::<_, StoreError>(sight)
    });
    looking.await.map_err(|error| error.to_string())
}

async fn seen_by_anyone(control: &Control, config: &Arc<Config>) -> Result<Arc<Unseen>, String> {
    let anyone = Caller::stranger(Door::Irc, "");
    let unseen = control.unseen_by(&anyone, config).await;
    unseen.map_err(|error| error.to_string())
}

fn of_builder(
    state: &State,
    (config, irc): (&Config, &IrcConfig),
    builder: Builder,
    moment: Moment,
) -> Result<BuilderSight, StoreError> {
    let mut running = Vec::new();
    for known in &builder.running {
        let Some(build) = view::Build::find(state, &builder.name, known.number, moment)? else {
            continue;
        };
        running.push(RunningSight {
            build: build.id,
            number: build.number,
            step: build
                .steps
                .iter()
                .find(|s| s.result.is_none())
                .map(|s| s.name.clone()),
            left: build
                .remaining
                .and_then(|left| Duration::try_from_secs_f64(left.0).ok()),
        });
    }
    let last = match builder.last {
        Some(last) => state
            .build(&builder.name, last.number)?
            .map(|build| LastSight {
                number: last.number,
                text: build.text,
                finished_at: last.finished_at,
            }),
        None => None,
    };
    let known = config.builder(builder.name.as_str());
    Ok(BuilderSight {
        is_told: known.is_some_and(|known| irc.telling.has_builder(known)),
        name: builder.name,
        state: builder.state,
        pending: builder.pending,
        running,
        last,
    })
}

/// Problems: the one that `word` numbers, else the open ones.
fn problems(
    state: &State,
    word: &str,
    unseen: &Unseen,
    now: Timestamp,
) -> Result<Vec<ProblemSight>, StoreError> {
    let rows = match word.parse() {
        Ok(number) => state.problem(ProblemNumber(number))?.into_iter().collect(),
        Err(_) => state.problems(&ProblemFilter::default(), MOST_PROBLEMS)?,
    };
    let problems = rows.into_iter().map(|row| Problem::at(now, row));
    let is_shown = |problem: &Problem| {
        !unseen.builders.contains(&problem.builder)
            && !unseen.hides_source(Some(problem.builder.as_str()), &problem.repository)
    };
    Ok(problems.filter(is_shown).map(of_problem).collect())
}

fn of_problem(problem: Problem) -> ProblemSight {
    let mut suspects: Vec<_> = problem
        .suspects
        .into_iter()
        .map(|suspect| suspect.who)
        .collect();
    suspects.sort();
    suspects.dedup();
    ProblemSight {
        number: problem.number,
        is_over: problem.ended_at.is_some(),
        builder: problem.builder,
        what: problem.what,
        first: problem.first,
        suspects,
        sole_suspect: problem.sole_suspect,
    }
}

/// Why a request waits, or the first of a builder.
async fn reasons(control: &Control, word: &str, unseen: &Unseen) -> Vec<String> {
    let none = |what: String| vec![what];
    let live = match control.snapshot().await {
        Ok(live) => live,
        Err(why) => return none(why),
    };
    let request = match word.parse() {
        Ok(number) => RequestId(number),
        Err(_) => {
            let builder = BuilderName::from(word);
            let queue = live.queues.as_ref().and_then(|queues| queues.get(&builder));
            match queue.filter(|_| !unseen.builders.contains(&builder)) {
                Some(queue) => queue.first,
                None => return none(format!("no request of {word} waits")),
            }
        }
    };
    let find = move |state: &State| state.request(request);
    let row = control.reader().read(find).await;
    let is_hidden = match &row {
        Ok(Some(row)) => unseen.builders.contains(&row.builder),
        Ok(None) | Err(_) => false,
    };
    if is_hidden {
        return none(format!("there is no request {request}"));
    }
    match control.why(request).await {
        Err(why) => none(why),
        Ok(blockers) => {
            let shown = blockers.into_iter().filter(|b| !unseen.names_one(&b.text));
            let texts: Vec<_> = shown.map(|blocker| blocker.text).collect();
            match texts.is_empty() {
                true => none(format!(
                    "nothing that is shown here is in the way of {request}"
                )),
                false => texts,
            }
        }
    }
}

/// The person with this account or name, and their roles.
pub(super) async fn person(
    control: &Control,
    confirmed: Option<&str>,
    account: Option<&str>,
) -> Option<(String, BTreeSet<String>)> {
    if confirmed.is_none() && account.is_none() {
        return None;
    }
    let (config, now) = (control.config(), control.clock().wall());
    let (confirmed, account) = (confirmed.map(str::to_owned), account.map(str::to_owned));
    let looking = control.reader().read(move |state| {
        let name = match (confirmed, account) {
            (Some(name), _) => Some(name),
            (None, Some(account)) => {
                let register = view::register(state, &config)?;
                let has = |person: &&crate::model::Person| {
                    person.attributes.iter().any(|known| {
                        known.kind == AttributeKind::Irc
                            && known.value.eq_ignore_ascii_case(&account)
                    })
                };
                register.iter().find(has).map(|person| person.name.clone())
            }
            (None, None) => None,
        };
        let Some(name) = name else { return Ok(None) };
        let roles = view::roles(state, &config, &name, now)?;
        Ok::<_, StoreError>(roles.map(|roles| (name, roles)))
    });
    looking.await.ok().flatten()
}

/// The accounts of a person at the services, and what is said to nobody who is not known. If it
/// cannot be read, nobody is found.
pub(super) async fn whereabouts(control: &Control, person: &str) -> (Vec<String>, Arc<Unseen>) {
    let config = control.config();
    let unseen = seen_by_anyone(control, &config).await;
    let (name, of_people) = (person.to_owned(), Arc::clone(&config));
    let looking = control.reader().read(move |state| {
        let register = view::register(state, &of_people)?;
        let attributes = register.get(&name).into_iter().flat_map(|p| &p.attributes);
        let accounts = attributes.filter(|known| known.kind == AttributeKind::Irc);
        Ok::<_, StoreError>(accounts.map(|known| known.value.clone()).collect())
    });
    match (looking.await, unseen) {
        (Ok(accounts), Ok(unseen)) => (accounts, unseen),
        (Ok(_) | Err(_), Ok(_) | Err(_)) => (Vec::new(), Arc::default()),
    }
}

/// Whether a target tells of a builder in its channels.
async fn is_told(control: &Control, irc: &IrcConfig, builder: &BuilderName) -> bool {
    let config = control.config();
    let is_about = config
        .builder(builder.as_str())
        .is_some_and(|b| irc.telling.has_builder(b));
    is_about
        && match seen_by_anyone(control, &config).await {
            Ok(unseen) => !unseen.builders.contains(builder),
            Err(_) => false,
        }
}

/// A build that has started.
pub(super) async fn started(control: &Control, irc: &IrcConfig, start: &BuildStart) -> Started {
    let revision = start.properties.get("revision");
    let revision = revision.and_then(|revision| revision.as_str());
    Started {
        build: start.build,
        builder: start.builder.clone(),
        number: start.number,
        requests: start.requests.clone(),
        revisions: revision.map(str::to_owned).into_iter().collect(),
        is_told: !start.properties.are_of_search() && is_told(control, irc, &start.builder).await,
    }
}

/// A build, if it has ended.
pub(super) async fn over(control: &Control, irc: &IrcConfig, build: BuildId) -> Option<Ended> {
    let read = control.reader().read(move |state| state.build_of_id(build));
    let row = read.await.ok().flatten()?;
    row.finished_at?;
    ended(control, irc, build, None).await
}

/// A build that has ended; its ending is that of a letter, or as it is on record. Absent if it was
/// pruned.
pub(super) async fn ended(
    control: &Control,
    irc: &IrcConfig,
    build: BuildId,
    ending: Option<Ending>,
) -> Option<Ended> {
    let (of_target, config) = (irc.clone(), control.config());
    let looking = control
        .reader()
        .read(move |state| end(state, (&of_target, &config.buildbot_url), build, ending));
    let ended = looking.await.ok()??;
    let is_told = ended.is_told && is_told(control, irc, &ended.builder).await;
    Some(Ended { is_told, ..ended })
}

/// The same from the state, with the address of the pages. All but the builds of searches are told.
pub(super) fn end(
    state: &State,
    (irc, url): (&IrcConfig, &str),
    build: BuildId,
    ending: Option<Ending>,
) -> Result<Option<Ended>, StoreError> {
    let ending = match ending {
        Some(ending) => Some(ending),
        None => state.ending(build, irc.telling.previous)?,
    };
    let moment = Moment {
        is_running: true,
        now: Timestamp(0),
    };
    let build = view::Build::of_id(state, build, moment)?;
    let (Some(build), Some(ending)) = (build, ending) else {
        return Ok(None);
    };
    Ok(Some(Ended {
        build: build.id,
        number: build.number,
        ending,
        text: build.text,
        revisions: build.revision.into_iter().collect(),
        blamelist: build.blamelist,
        url: build_url(url, &build.builder, build.number),
        is_told: !build.properties.are_of_search(),
        builder: build.builder,
    }))
}
