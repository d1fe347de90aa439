//! One problem: what fails, since when, which changes may have done it, and what has happened.

use askama::Template;

use super::buttons::Buttons;
use super::common::{not_found, number_of};
use super::hands::{Hand, Happened, build, hands, happened};
use super::searches::Row as SearchRow;
use super::tests::{FlakyPlace, flaky};
use crate::control::Target;
use crate::model::{Action, ProblemNumber};
use crate::store::State;
use crate::verdict::{ProblemState, Suspect};
use crate::view::{Presumed, Problem, ProblemStory, Search};
use crate::web::address;
use crate::web::page::{Marks, Page, Permission, Place, Scene, Shown};
use crate::web::parts::{Link, Time, Tone, change, person, span};
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/problems/{problem}",
    args: &[],
    permission: Permission::View,
    topics: &["problem"],
    api: Some("/api/v1/problems/{problem}"),
    place: Place::Below("Problems"),
    show,
};

#[derive(Debug, Template)]
#[template(path = "problem.html", config = "src/web/askama.toml")]
struct Contents {
    builder: Link,
    tree: String,
    what: String,
    fails: &'static str,
    state: String,
    classes: &'static str,
    since: Time,
    ended: Option<Time>,
    cause: String,
    symptoms: Vec<String>,
    suspects: Vec<(Link, Link)>,
    fixed_in: Vec<(Link, Link)>,
    builds: Vec<(&'static str, Link)>,
    unseen_since: Option<Link>,
    /// The problem of the branch from which this one begins.
    at_origin: Option<Link>,
    /// The problem that is back.
    again: Option<Link>,
    flaky: Vec<FlakyPlace>,
    searches: Vec<SearchRow>,
    search_buttons: Buttons,
    /// Why the master does not search for the cause by itself, or what that waits for.
    unsearched: Option<String>,
    hands: Vec<Hand>,
    happened: Vec<Happened>,
    buttons: Buttons,
    more_buttons: Buttons,
    note: Option<(String, Marks)>,
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let number = number_of(scene, "problem", "problem")?;
    let found = ProblemStory::find(state, &scene.config, ProblemNumber(number), scene.now)?;
    let found = found.ok_or_else(|| not_found("problem", &number.to_string()))?;
    let problem = &found.problem;
    let is_open = problem.state == ProblemState::Open;
    let searches = state.searches_of(problem.number)?.into_iter();
    let searches: Vec<_> = searches.map(Search::from).collect();
    let builds = [
        ("Last without it", problem.good_build),
        ("First with it", problem.first_build),
        ("Last with it", problem.last_build),
    ];
    let builds = builds.into_iter();
    let builds = builds.filter_map(|(word, number)| Some((word, build(problem, number?))));
    let contents = Contents {
        builder: Link::to(
            problem.builder.as_str(),
            &address::builder(&problem.builder),
        ),
        tree: tree(problem),
        what: problem.what.clone(),
        fails: if problem.is_infrastructure() {
            ""
        } else {
            " fails"
        },
        state: match is_open {
            true => format!("open for {}", span(scene.since(problem.opened_at))),
            false => problem.state.as_str().to_owned(),
        },
        classes: if is_open { "fail" } else { "skip" },
        since: scene.second(problem.opened_at),
        ended: problem.ended_at.map(|at| scene.second(at)),
        cause: match &found.guilty {
            Some(guilty) => proved(guilty),
            None => match &found.presumed {
                Some(presumed) => presumption(presumed),
                None => match found.at_origin {
                    Some(_) => "Nobody is told: the branch has it from where it begins.".to_owned(),
                    None => cause(problem),
                },
            },
        },
        symptoms: errors(problem),
        suspects: problem.suspects.iter().map(suspect).collect(),
        fixed_in: problem.fixed_in.iter().map(suspect).collect(),
        builds: builds.collect(),
        unseen_since: problem.unseen_since.map(change),
        at_origin: found.at_origin.map(numbered),
        again: found.again.map(numbered),
        flaky: flaky(&problem.builder, &found.flaky),
        searches: searches
            .iter()
            .map(|one| SearchRow::new(one, scene))
            .collect(),
        unsearched: found.unsearched.clone(),
        search_buttons: match searches.iter().any(|one| one.verdict.is_none()) {
            true => Buttons::default(),
            false => Buttons::of_cause(state, scene, problem)?,
        },
        hands: hands(problem, scene),
        happened: happened(&found, scene),
        buttons: Buttons::of_problem(state, scene, problem)?,
        more_buttons: Buttons::of_work_on(state, scene, problem)?,
        note: scene
            .form(state, Action::Problem, &Target::Problem(problem.number))?
            .map(|marks| (format!("{}/note", address::problem(problem.number)), marks)),
    };
    let title = format!("Problem {number}: {} {}", problem.builder, problem.what);
    let icon = if is_open { Tone::Fail } else { Tone::Ok };
    Ok(Shown::new(title, &contents)?.with_icon(icon))
}

fn numbered(problem: ProblemNumber) -> Link {
    Link::to(&problem.to_string(), &address::problem(problem))
}

fn suspect(suspect: &Suspect) -> (Link, Link) {
    (change(suspect.change), person(&suspect.who))
}

/// The errors, where there are any.
fn errors(problem: &Problem) -> Vec<String> {
    let all = problem.symptoms.iter();
    all.filter(|print| *print != "*").cloned().collect()
}

/// Which tree, where it is not the default branch.
pub(super) fn tree(problem: &Problem) -> String {
    let branch = problem
        .branch
        .as_deref()
        .filter(|branch| !branch.is_empty());
    branch.map_or_else(String::new, |branch| format!(" on {branch}"))
}

/// What a search has found, in a sentence.
fn proved(guilty: &Suspect) -> String {
    let Suspect { change, who } = guilty;
    format!("A search has found that change {change} by {who} has caused it.")
}

/// What a search on another builder has found, in a sentence.
fn presumption(presumed: &Presumed) -> String {
    let Presumed {
        change,
        who,
        builder,
        search,
    } = presumed;
    format!(
        "Presumed from another builder: change {change} by {who} has caused the same on {builder}, as search {search} has found. Nobody is accused here."
    )
}

/// Who can have done it, in a sentence.
pub(super) fn cause(problem: &Problem) -> String {
    if problem.is_infrastructure() {
        return "Nobody is accused: its builds say nothing about the sources.".to_owned();
    }
    if let Some(doubt) = problem.doubt_in_words() {
        return format!("Nobody is accused: {doubt}.");
    }
    match (&problem.sole_suspect, problem.suspects.len()) {
        (Some(_), 1) => "One change can have done it.".to_owned(),
        (Some(who), _) => format!("Only changes by {who} can have done it."),
        (None, 0) => "The changes that can have done it are not known.".to_owned(),
        (None, count) => format!("One of {count} changes has done it."),
    }
}

#[cfg(test)]
mod tests {
    use crate::web::testing::Farm;

    #[test]
    fn prb_01_a_problem_says_what_fails_since_when_and_who_can_have_done_it() {
        let farm = Farm::broken();
        let page = farm.page("/problems/1");
        for text in [
            "test fails",
            "One of 2 changes has done it.",
            "<a href=\"/changes/7\">7</a>",
            "<a href=\"/changes/8\">8</a>",
            "a.c:#: error: &#60;b&#62;",
            "Last without it",
            "opened",
        ] {
            assert!(page.contains(text), "{text}: {page}");
        }
        assert!(!page.contains("<a href=\"/changes/9\">"), "{page}");
        let list = farm.page("/problems");
        assert!(list.contains("<a href=\"/problems/1\">"), "{list}");
    }

    #[test]
    fn a_problem_that_there_is_not_has_no_page() {
        for path in ["/problems/2", "/problems/x"] {
            assert_eq!(Farm::broken().get(path).status, 404, "{path}");
        }
    }
}
