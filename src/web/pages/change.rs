//! One change: its text and files, its builds, and what each scheduler made of it.

use askama::Template;

use super::changes::did;
use super::common::{first_line, links_to, not_found, number_of, outcome, owners_of, properties};
use crate::model::ChangeNumber;
use crate::store::State;
use crate::view::{Brief, ChangePage, RequestState};
use crate::web::address;
use crate::web::page::{Page, Permission, Place, Scene, Shown};
use crate::web::parts::{
    Link, Outcome, Piece, Pill, Time, Tone, linked, person, revision, slave, took,
};
use crate::web::refusal::Refusal;

pub(in crate::web) const PAGE: Page = Page {
    path: "/changes/{change}",
    args: &[],
    permission: Permission::View,
    topics: &["change"],
    api: Some("/api/v1/changes/{change}"),
    place: Place::Below("Changes"),
    show,
};

/// Maximum number of files on the page.
const FILES: usize = 500;

#[derive(Debug, Template)]
#[template(path = "change.html", config = "src/web/askama.toml")]
struct Contents {
    number: ChangeNumber,
    title: String,
    /// The changes before and after it that are there.
    before: Option<ChangeNumber>,
    after: Option<ChangeNumber>,
    did: Vec<Pill>,
    text: Vec<Piece>,
    who: Link,
    when: Time,
    arrived: Time,
    revision: Option<Link>,
    revlink: Option<String>,
    notes: Vec<String>,
    branch: Option<String>,
    repository: String,
    repository_link: Option<String>,
    project: String,
    project_link: Option<String>,
    category: Option<String>,
    /// Who cares for the files.
    owners: Vec<Link>,
    files: Vec<String>,
    more_files: u64,
    builds: Vec<Build>,
    waiting: Vec<(Link, Link)>,
    verdicts: Option<Vec<Verdict>>,
    properties: Vec<(String, String, String)>,
}

#[derive(Debug)]
struct Build {
    builder: Link,
    pill: Pill,
    /// The result in a word, unless it is a success as before.
    word: &'static str,
    /// What went wrong.
    text: String,
    slave: Link,
    took: String,
    finished: Option<Time>,
}

#[derive(Debug)]
struct Verdict {
    scheduler: Link,
    counts: bool,
    why: String,
}

/// What the schedulers made of the change; absent if that was not recorded.
fn verdicts(page: &ChangePage, scene: &Scene) -> Option<Vec<Verdict>> {
    let all = page.schedulers.as_ref()?.iter();
    let all = all.map(|verdict| Verdict {
        scheduler: Link::to(
            verdict.scheduler.as_str(),
            &address::scheduler(&verdict.scheduler),
        ),
        counts: verdict.counts,
        why: scene.with_local_times(&verdict.why),
    });
    Some(all.collect())
}

impl Build {
    fn new(build: &Brief, scene: &Scene) -> Self {
        let outcome = outcome(build);
        let is_plain = outcome == Outcome::plain(Tone::Ok);
        let is_bad = !matches!(outcome.tone(), Tone::Ok | Tone::Run);
        Self {
            builder: Link::to(build.builder.as_str(), &address::builder(&build.builder)),
            pill: Pill::number(&build.builder, build.number, outcome),
            word: if is_plain { "" } else { outcome.word() },
            text: if is_bad {
                build.text.join(" ")
            } else {
                String::new()
            },
            slave: slave(&build.slave),
            took: build.took.map_or_else(String::new, took),
            finished: build.finished_at.map(|at| scene.time(at)),
        }
    }
}

fn show(state: &State, scene: &Scene) -> Result<Shown, Refusal> {
    let number = ChangeNumber(number_of(scene, "change", "change")?);
    let Some(page) = ChangePage::find(state, number, &scene.live)? else {
        if state.was_change(number)? {
            return Err(Refusal::Gone {
                sentence: format!("Change {number} was removed (change_horizon)."),
            });
        }
        return Err(not_found("change", &number.to_string()));
    };
    let change = &page.change;
    let mut builds = Brief::of_change(state, number)?;
    // What is wrong is seen first, of however many builds.
    builds.sort_by_key(|build| outcome(build).tone() == Tone::Ok);
    let runs = builds.iter().any(|build| build.result.is_none());
    let waits = page.requests.iter().filter(|request| {
        matches!(
            request.state,
            RequestState::Pending | RequestState::Starting
        )
    });
    let title = match first_line(&change.comments) {
        line if line.is_empty() => format!("Change {number}"),
        line => line,
    };
    let did = did(&builds, number);
    let neighbour = |other: Option<u64>| {
        let other = other.map(ChangeNumber);
        let known = other.map(|other| state.change(other)).transpose()?;
        Ok::<_, Refusal>(other.filter(|_| known.flatten().is_some()))
    };
    let files = change.files.iter().take(FILES);
    let left_out = change.files.len().saturating_sub(FILES);
    let left_out = u64::try_from(left_out).unwrap_or(u64::MAX);
    let web = scene.config.web.as_ref();
    let contents = Contents {
        number,
        before: neighbour(number.0.checked_sub(1))?,
        after: neighbour(number.0.checked_add(1))?,
        did,
        text: linked(&change.comments, web.map_or(&[], |web| &web.comment_links)),
        who: person(&change.who),
        when: scene.second(change.when),
        arrived: scene.second(change.arrived_at),
        revision: change.revision.as_deref().map(revision),
        notes: change.notes.clone(),
        revlink: address::outside(&change.revlink).map(str::to_owned),
        branch: change.branch.clone(),
        repository: change.repository.clone(),
        repository_link: web.and_then(|web| web.repository_links.get(&change.repository).cloned()),
        project: change.project.clone(),
        project_link: web.and_then(|web| web.project_links.get(&change.project).cloned()),
        category: change.category.clone(),
        owners: links_to(owners_of(state, scene, [change])?),
        files: files.cloned().collect(),
        more_files: change.files_left_out.saturating_add(left_out),
        builds: builds
            .iter()
            .map(|build| Build::new(build, scene))
            .collect(),
        waiting: waits
            .map(|request| {
                let builder = &request.builder;
                let id = request.id.to_string();
                (
                    Link::to(builder.as_str(), &address::builder(builder)),
                    Link::to(&id, &address::request(request.id)),
                )
            })
            .collect(),
        verdicts: verdicts(&page, scene),
        properties: properties(&change.properties),
        title: title.clone(),
    };
    let shown = Shown::new(format!("{title} · change {number}"), &contents)?;
    Ok(shown.running(runs))
}

#[cfg(test)]
mod tests {
    use crate::model::Op;
    use crate::model::journal::PersonOp;
    use crate::web::testing::Farm;

    #[test]
    fn sta_99_a_change_leads_to_what_its_text_names() {
        let web = "[web]\nport = 8010\n\
                   comment_links = [{ pattern = '#(\\d+)', url = \"https://bugs/$1\" }]\n\
                   project_links = { Widget = \"https://widget/\" }\n\
                   repository_links = { widget = \"https://code/widget\" }\n";
        let mut farm = Farm::broken().with_web(web);
        let mut change = (*farm.bare_change(30)).clone();
        change.content.comments = "Fix <b> #12".to_owned();
        change.content.repository = "widget".to_owned();
        change.content.project = "Widget".to_owned();
        farm.add([Op::ChangeAdded(change.into())]);
        let page = farm.page("/changes/30");
        for part in [
            r#"Fix &#60;b&#62; <a href="https://bugs/12" rel="noopener">#12</a></pre>"#,
            r#"<a href="https://code/widget" rel="noopener">widget</a>"#,
            r#"<a href="https://widget/" rel="noopener">Widget</a>"#,
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }

    #[test]
    fn who_08_the_pages_of_changes_and_builds_name_the_owners() {
        let owners = "[people.cid]\nemail = \"cid@example.org\"\n[[owners]]\nfiles = \"src/**\"\n\
                      people = \"ann\"\n[[owners]]\nbuilders = \"linux\"\npeople = \"bob\"\n\
                      [[repositories]]\nname = \"widget\"\nurls = [\"https://h/widget\"]\n\
                      owners = \"CODEOWNERS\"\n";
        let mut farm = Farm::broken_with(owners);
        let mut change = (*farm.bare_change(30)).clone();
        change.content.repository = "widget".to_owned();
        let read = PersonOp::OwnersRead {
            repository: "widget".to_owned(),
            text: "*.c cid@example.org\n".to_owned(),
        };
        farm.add([Op::ChangeAdded(change.into()), Op::Person(Box::new(read))]);
        let page = farm.page("/changes/30");
        let [ann, cid] = ["ann", "cid"].map(|name| format!("<a href=\"/users/{name}\">{name}</a>"));
        let expected = format!("<dt>Owners</dt><dd>{ann} {cid} </dd>");
        assert!(page.contains(&expected), "{page}");
        let page = farm.page("/builders/linux/builds/1");
        assert!(page.contains("<dt>Owners</dt><dd>"), "{page}");
        assert!(
            page.contains(">ann</a>") && page.contains(">bob</a>"),
            "{page}"
        );
    }
}
