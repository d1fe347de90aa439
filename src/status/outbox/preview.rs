//! What letters would say, and to whom, without sending them (MSG-05).

mod bots;
mod statuses;

use std::path::Path;
use std::sync::Arc;

use super::mail::Post;
use super::message::{Parts, one_line};
use super::recipients::address_of_person;
use super::turns::Failure;
use super::wording::Templates;
use super::{lookup, mail, push};
use crate::config::{Config, EndedBuild, MailNotifierConfig, StatusConfig, Telling};
use crate::model::{
    BuildFacts, BuildNumber, BuilderName, LetterFacts, LetterId, LetterState, PreviousBuild,
    ProblemsTold, Role, Say, SlaveName, Timestamp,
};
use crate::status::problem_facts::problem_facts;
use crate::store::read::{BuildRow, LetterRow, ProblemRow};
use crate::store::{Reader, State, StoreError};
use crate::view;

/// Builds among which the newest is looked for that has ended.
const MOST_BUILDS: u32 = 200;

/// Builds of a set, and problems, that a preview has.
const MOST: usize = 50;

/// What letters are about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PreviewKind {
    /// A build has ended.
    Build,
    /// A build set has ended.
    BuildSet,
    /// There are problems.
    Problem,
    /// A slave is missing.
    MissingSlave,
}

/// A question what would be sent.
#[derive(Clone, Debug)]
pub struct Preview {
    /// What the letters are about.
    pub kind: PreviewKind,
    /// The build; absent: the newest that has ended. For problems: only those of its builder.
    pub build: Option<(BuilderName, BuildNumber)>,
    /// The person to whom the letters would go.
    pub to: Option<String>,
    /// The present time.
    pub now: Timestamp,
}

/// What a target would be told.
struct Case {
    facts: LetterFacts,
    /// Why it would not be told, if the settings of the target do not want it.
    unwanted: Option<&'static str>,
}

impl Preview {
    /// What each target would be told, a text for each.
    ///
    /// # Errors
    /// The build, problem or slave is unknown, or the state cannot be read.
    pub async fn show(self, basedir: &Path, config: Config) -> Result<Vec<String>, String> {
        let (reader, config) = (Reader::new(basedir), Arc::new(config));
        let known = Arc::clone(&config);
        let reading = reader.read(move |state| {
            let templates = Templates::read(state.basedir(), &known);
            Ok::<_, StoreError>((Arc::from(state.identity()?), Arc::new(templates)))
        });
        let (identity, templates) = reading.await.map_err(|error| error.to_string())?;
        let post = Post {
            reader,
            config: Arc::clone(&config),
            identity,
            templates,
            connections: Arc::default(),
            lookout: crate::status::lookout::Lookout::default(),
            control: None,
        };
        if self.kind == PreviewKind::MissingSlave {
            return Ok(vec![self.missing_slave(&post)?]);
        }
        let mut shown = Vec::new();
        for target in &config.status {
            let takes = match self.kind {
                PreviewKind::Problem => target.mail().is_some_and(|mail| mail.problems),
                // What a bot says is in lines.
                PreviewKind::Build | PreviewKind::BuildSet | PreviewKind::MissingSlave => {
                    target.irc().is_none()
                }
            };
            if let Some(status) = target.commit_status()
                && self.kind == PreviewKind::Build
            {
                shown.extend(self.statuses(&post, status).await?);
            }
            if let Some(irc) = target.irc() {
                shown.extend(self.said(&post, irc).await?);
            }
            if let Some(telling) = target.telling().filter(|_| takes) {
                let case = self.case(&post, telling).await?;
                shown.push(self.shown(&post, target, telling, case).await);
            }
        }
        match shown.is_empty() {
            true => Err("no status target would be told".to_owned()),
            false => Ok(shown),
        }
    }

    /// What a target would be told.
    async fn case(&self, post: &Post, telling: &Telling) -> Result<Case, String> {
        let (wanted, telling) = (self.clone(), telling.clone());
        let config = Arc::clone(&post.config);
        let looking = post.reader.read(move |state| {
            Ok::<_, StoreError>(match wanted.kind {
                PreviewKind::Problem => wanted.problems(state)?.map(|facts| Case {
                    facts,
                    unwanted: None,
                }),
                PreviewKind::Build | PreviewKind::BuildSet | PreviewKind::MissingSlave => {
                    wanted.builds(state, &config, &telling)?
                }
            })
        });
        looking.await.map_err(|error| error.to_string())?
    }

    /// The build.
    fn row(&self, state: &State) -> Result<Option<BuildRow>, StoreError> {
        match &self.build {
            Some((builder, number)) => state.build(builder, *number),
            None => {
                let mut newest = state.builds(None, MOST_BUILDS)?.into_iter();
                Ok(newest.find(|row| row.result.is_some()))
            }
        }
    }

    fn builds(
        &self,
        state: &State,
        config: &Config,
        telling: &Telling,
    ) -> Result<Result<Case, String>, StoreError> {
        let row = self.row(state)?;
        let facts = match &row {
            Some(row) => state.told_of(row.id, telling.previous)?,
            None => None,
        };
        let (Some(row), Some(facts)) = (row, facts) else {
            let why = match &self.build {
                Some((builder, number)) => format!("no build {builder}/{number} has ended"),
                None => "no build has ended yet".to_owned(),
            };
            return Ok(Err(why));
        };
        let builder = config.builder(row.builder.as_str());
        let is_about = builder.is_some_and(|builder| {
            telling.is_about(&EndedBuild {
                builder,
                number: row.number.0,
                result: facts.ending.result,
                properties: &row.properties,
            })
        });
        let unwanted = match (is_about, facts.ending.is_wanted(&telling.modes)) {
            (false, _) => Some("it does not tell of such builds"),
            (true, false) => Some("no mode of it wants such a build"),
            (true, true) => None,
        };
        let facts = match self.kind {
            PreviewKind::BuildSet => match of_set(state, facts, telling.previous)? {
                Some(facts) => facts,
                None => return Ok(Err("the build is of no set".to_owned())),
            },
            PreviewKind::Build | PreviewKind::Problem | PreviewKind::MissingSlave => {
                LetterFacts::Build(facts)
            }
        };
        Ok(Ok(Case { facts, unwanted }))
    }

    /// Letters about the open problems.
    fn problems(&self, state: &State) -> Result<Result<LetterFacts, String>, StoreError> {
        let rows = state.problems_to_tell(self.now)?;
        let builder = self.build.as_ref().map(|(builder, _)| builder);
        let is_its = |row: &&ProblemRow| builder.is_none_or(|builder| row.builder == *builder);
        let rows: Vec<_> = rows.iter().filter(is_its).collect();
        let Some(first) = rows.first() else {
            return Ok(Err("no problem is open".to_owned()));
        };
        let suspect = || first.problem.suspects.first().map(|one| one.who.clone());
        let person = self.to.clone().or_else(suspect);
        let person = person.unwrap_or_else(|| "nobody".to_owned());
        let facts = rows.iter().take(MOST).map(|row| {
            let suspects = &row.problem.suspects;
            let role = match suspects.iter().filter(|one| one.who == person).count() {
                0 => Role::Interested,
                count if count == suspects.len() => Role::SoleSuspect,
                _ => Role::Suspect,
            };
            problem_facts(row, Say::Opened(role), role)
        });
        Ok(Ok(LetterFacts::Problems(ProblemsTold {
            problems: facts.collect(),
            more: rows.len().saturating_sub(MOST) as u64,
            read_along: Vec::new(),
            thread: first.problem.number,
            instead_of: None,
            person,
        })))
    }

    fn missing_slave(&self, post: &Post) -> Result<String, String> {
        let mut slaves = post.config.slaves.iter();
        let slave = slaves.find(|slave| !slave.notify_on_missing.is_empty());
        let slave = slave.ok_or("no slave has `notify_on_missing`")?;
        let slave: SlaveName = slave.name.clone();
        let letter = self.letter(
            "mail",
            LetterFacts::SlaveMissing {
                slave,
                since: self.now,
                why: None,
                admin: String::new(),
            },
        );
        let parts = mail::missing(&letter, &post.config, &post.identity);
        let parts = parts.map_err(|failure| why(&failure))?;
        Ok(format!("=== mail: {}\n{}", letter.facts, of_mail(&parts)))
    }

    async fn shown(
        &self,
        post: &Post,
        target: &StatusConfig,
        telling: &Telling,
        case: Case,
    ) -> String {
        let Some(mail) = target.mail() else {
            return self.shown_of_push(post, &telling.name, case).await;
        };
        let (mut letter, shown) = self.begun(&telling.name, case);
        let made = match self.address(post, mail).await {
            Err(failure) => Err(failure),
            Ok(recipient) => {
                letter.recipient = recipient;
                self.mailed(post, mail, &mut letter).await
            }
        };
        shown + &or_why(made)
    }

    /// What a target that takes no mail would be told.
    async fn shown_of_push(&self, post: &Post, target: &str, case: Case) -> String {
        let (letter, shown) = self.begun(target, case);
        shown + &or_why(self.pushed(post, &letter).await)
    }

    /// A letter, and how what is shown of it begins.
    fn begun(&self, target: &str, case: Case) -> (LetterRow, String) {
        let letter = self.letter(target, case.facts);
        let mut shown = format!("=== {target}: {}\n", letter.facts);
        if let Some(unwanted) = case.unwanted {
            shown += &format!("(It would not be sent: {unwanted}.)\n");
        }
        (letter, shown)
    }

    async fn mailed(
        &self,
        post: &Post,
        mail: &MailNotifierConfig,
        letter: &mut LetterRow,
    ) -> Result<String, Failure> {
        if let LetterFacts::Problems(told) = &letter.facts {
            let parts = post.write_of_problems(letter, told, mail).await?;
            return Ok(of_mail(&parts));
        }
        match post.write(letter, mail).await {
            Err(Failure::Split(all)) => {
                let mut shown = String::new();
                for recipient in all {
                    letter.recipient = Some(recipient);
                    shown += &of_mail(&post.write(letter, mail).await?);
                }
                Ok(shown)
            }
            written => Ok(of_mail(&written?)),
        }
    }

    async fn pushed(&self, post: &Post, letter: &LetterRow) -> Result<String, Failure> {
        let (letter, identity) = (letter.clone(), Arc::clone(&post.identity));
        let (config, templates) = (Arc::clone(&post.config), Arc::clone(&post.templates));
        let now = self.now;
        let making = post.reader.read(move |state| {
            let made = push::prepare(
                state,
                &config,
                &templates,
                (&letter, &identity),
                (now, None),
            );
            Ok::<_, StoreError>(made)
        });
        let made = making
            .await
            .map_err(|error| Failure::Later(error.to_string()))?;
        Ok(made?.shown())
    }

    /// The address of the person to whom the letters would go.
    async fn address(
        &self,
        post: &Post,
        mail: &MailNotifierConfig,
    ) -> Result<Option<String>, Failure> {
        let Some(person) = self
            .to
            .clone()
            .filter(|_| self.kind != PreviewKind::Problem)
        else {
            return Ok(None);
        };
        let config = Arc::clone(&post.config);
        let reading = post
            .reader
            .read(move |state| view::register(state, &config));
        let register = reading
            .await
            .map_err(|error| Failure::Later(error.to_string()))?;
        let answers = lookup::ask(&mail.lookup, std::slice::from_ref(&person)).await?;
        let address = address_of_person(&person, &register, &mail.lookup, &answers);
        let unknown = || Failure::Never(format!("no mail address is known of {person}"));
        address.map(Some).ok_or_else(unknown)
    }

    fn letter(&self, target: &str, facts: LetterFacts) -> LetterRow {
        LetterRow {
            id: LetterId(0),
            target: target.to_owned(),
            order: String::new(),
            facts,
            recipient: None,
            made_at: self.now,
            next_at: self.now,
            tries: 0,
            error: None,
            state: LetterState::Waiting,
            ended_at: None,
        }
    }
}

/// What is sent, or why it cannot be.
fn or_why(made: Result<String, Failure>) -> String {
    made.unwrap_or_else(|failure| format!("It cannot be sent: {}\n", why(&failure)))
}

/// The letter about the set of a build.
fn of_set(
    state: &State,
    facts: BuildFacts,
    previous: PreviousBuild,
) -> Result<Option<LetterFacts>, StoreError> {
    let Some(set) = facts.set else {
        return Ok(None);
    };
    let mut builds = Vec::new();
    let all = state.builds_of_set(set)?;
    for one in all.iter().take(MOST) {
        if let Some(row) = state.build(&one.builder, one.number)? {
            builds.extend(state.told_of(row.id, previous)?);
        }
    }
    let more = all.len().saturating_sub(MOST) as u64;
    Ok(Some(LetterFacts::BuildSet { set, builds, more }))
}

/// A mail for people: the headers that they look at, and the text.
fn of_mail(parts: &Parts) -> String {
    let mut lines = vec![format!("From: {}", parts.from)];
    for (name, all) in [("To", &parts.recipients.to), ("Cc", &parts.recipients.cc)] {
        if !all.is_empty() {
            lines.push(format!("{name}: {}", all.join(", ")));
        }
    }
    lines.push(format!("Subject: {}", one_line(&parts.subject)));
    let headers = parts.headers.iter();
    lines.extend(headers.map(|(name, value)| format!("{name}: {}", one_line(value))));
    lines.push(format!("\n{}", parts.text));
    lines.extend(parts.html.iter().map(|html| format!("--- as HTML\n{html}")));
    let attached = parts.attachments.iter();
    lines.extend(attached.map(|attached| {
        let (name, length) = (&attached.name, attached.len());
        format!("--- attached: {name} ({length} bytes)")
    }));
    lines.join("\n") + "\n"
}

fn why(failure: &Failure) -> String {
    match failure {
        Failure::Later(why)
        | Failure::Pause { why, .. }
        | Failure::Never(why)
        | Failure::Stale(why) => why.clone(),
        Failure::Split(_) => "each recipient has a mail alone".to_owned(),
        Failure::Gone(_) => "the target is gone".to_owned(),
    }
}
