//! Letters to programs: webhooks and commands get the facts as one JSON object (PSH-01, PSH-06).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use super::mail::Post;
use super::objects::Told;
use super::turns::{Failure, Refused};
use super::webhook::{self, Request, signature};
use super::wording::Templates;
use super::{command, gerrit, objects, packets};
use crate::config::{CommitStatusConfig, Config, Secret, StatusConfig, Telling};
use crate::control::read_password;
use crate::model::{BuildNumber, CommitFacts, CommitState, LetterFacts, Timestamp, build_url};
use crate::net::is_public;
use crate::protocol::commit_status::{CommitStatus, status_at_server};
use crate::protocol::pulls::{PullHost, PullSite};
use crate::store::read::LetterRow;
use crate::store::{State, StoreError};
use crate::view::{Build, Moment};

/// What is pushed, and where.
pub(super) enum Push {
    Webhook(Request),
    Command(Vec<String>, String),
    /// Words for ssh, which are the whole letter.
    Ssh(Vec<String>),
}

impl Push {
    /// The same for people, without what proves who has sent it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Webhook(request) => format!("POST {}\n\n{}\n", request.url, request.body),
            Self::Command(words, body) => format!("{}\n\n{body}\n", words.join(" ")),
            Self::Ssh(words) => format!("{}\n", words.join(" ")),
        }
    }
}

impl Post {
    /// Why the build of a commit waits, as far as that is known now (PSH-04).
    async fn waits(&self, letter: &LetterRow) -> Option<String> {
        let LetterFacts::Commit(facts) = &letter.facts else {
            return None;
        };
        if facts.state != CommitState::Pending {
            return None;
        }
        let live = self.control.as_ref()?.snapshot().await.ok()?;
        live.waits.get(&facts.builder).cloned()
    }

    /// Sends a letter to a target that takes no mail.
    ///
    /// # Errors
    /// It was not taken.
    pub(super) async fn push(
        &self,
        letter: &LetterRow,
        now: Timestamp,
    ) -> Result<Refused, Failure> {
        let (config, identity) = (self.config.clone(), self.identity.clone());
        let (of_letter, templates) = (letter.clone(), self.templates.clone());
        let waits = self.waits(letter).await;
        let preparing = self.reader.read(move |state| {
            let letter = (&of_letter, &*identity);
            Ok::<_, StoreError>(prepare(
                state,
                &config,
                &templates,
                letter,
                (now, waits.as_deref()),
            ))
        });
        let prepared = preparing
            .await
            .map_err(|error| Failure::Later(error.to_string()))?;
        match prepared? {
            Push::Webhook(request) => webhook::post(request).await.map(|_| None),
            Push::Command(words, body) => {
                let key = key(&self.identity, letter);
                let taking = command::give(&words, &key, &body, command::LATER);
                taking.await.map(|()| None)
            }
            Push::Ssh(words) => {
                let key = key(&self.identity, letter);
                let taking = command::give(&words, &key, "", command::SSH_LATER);
                taking.await.map(|()| None)
            }
        }
    }
}

/// The key of a letter, which is the same in each try (OUT-04).
fn key(identity: &str, letter: &LetterRow) -> String {
    format!("{identity}.{}", letter.id)
}

/// What is pushed for a letter.
///
/// # Errors
/// There is nothing to push, or it must not be pushed there.
pub(super) fn prepare(
    state: &State,
    config: &Config,
    templates: &Templates,
    (letter, identity): (&LetterRow, &str),
    (now, waits): (Timestamp, Option<&str>),
) -> Result<Push, Failure> {
    let mut targets = config.status.iter();
    let target = targets.find(|target| target.target() == Some(&letter.target));
    let unfit = || Failure::Never(format!("`{}` does not take such letters", letter.target));
    let target = target.ok_or_else(unfit)?;
    if let LetterFacts::Commit(facts) = &letter.facts {
        let status = target.commit_status().ok_or_else(unfit)?;
        let key = key(identity, letter);
        return commit(state, (config, status), (facts, waits), key);
    }
    if let StatusConfig::Gerrit(gerrit) = target {
        let (builds, more) = builds(state, config, letter, &gerrit.telling)?;
        let words = gerrit::command(gerrit, &config.buildbot_url, (&builds, more))?;
        return Ok(Push::Ssh(words));
    }
    if let StatusConfig::HttpPush(push) = target {
        let (builds, _) = builds(state, config, letter, &push.telling)?;
        refuse_private(&push.server_url, push.allow_private)?;
        let of_letter = (letter.id, letter.made_at);
        return Ok(Push::Webhook(Request {
            url: push.server_url.clone(),
            allow_private: push.allow_private,
            key: key(identity, letter),
            kind: packets::FORM,
            headers: Vec::new(),
            body: packets::body(state, (config, push), &builds, of_letter)?,
        }));
    }
    let telling = target.telling().ok_or_else(unfit)?;
    let (event, facts) = facts(state, config, letter, telling)?;
    let mut body = json!({
        "event": event,
        "letter": letter.id,
        "at": letter.made_at.to_rfc3339(),
        "facts": facts,
    });
    match target {
        StatusConfig::Command(command) => {
            Ok(Push::Command(command.command.clone(), body.to_string()))
        }
        StatusConfig::Webhook(webhook) => {
            refuse_private(&webhook.url, webhook.allow_private)?;
            let rendered = webhook.template.as_ref();
            let body = match rendered.map(|name| templates.render(name, &body["facts"])) {
                None => body.to_string(),
                Some(Ok(text)) => text,
                Some(Err(why)) => {
                    // What the master posts by itself, with a line that says so (MSG-03).
                    body["note"] = format!("the template failed: {why}").into();
                    body.to_string()
                }
            };
            let secrets = [&webhook.secret, &webhook.previous_secret]
                .into_iter()
                .flatten();
            let secrets: Result<Vec<_>, _> = secrets.map(|secret| read(state, secret)).collect();
            let secrets = secrets?;
            let mut headers = Vec::new();
            if !secrets.is_empty() {
                let signed = signature(&secrets, now.0 / 1_000_000, &body);
                headers.push(("X-Buildmaster-Signature", signed));
            }
            Ok(Push::Webhook(Request {
                url: webhook.url.clone(),
                allow_private: webhook.allow_private,
                key: key(identity, letter),
                kind: webhook::JSON,
                headers,
                body,
            }))
        }
        StatusConfig::PbListener(_)
        | StatusConfig::Gerrit(_)
        | StatusConfig::HttpPush(_)
        | StatusConfig::Mail(_)
        | StatusConfig::CommitStatus(_)
        | StatusConfig::Stash(_)
        | StatusConfig::Irc(_) => Err(unfit()),
    }
}

/// The request that tells a code host the state of a commit (PSH-04, PSH-05).
fn commit(
    state: &State,
    (config, target): (&Config, &CommitStatusConfig),
    (facts, waits): (&CommitFacts, Option<&str>),
    key: String,
) -> Result<Push, Failure> {
    let (page, description) = about_commit(state, config, (facts, waits))?;
    let name = target.name_of(facts.builder.as_str());
    let status = CommitStatus {
        revision: &facts.revision,
        context: &facts.context,
        name: name.as_deref().unwrap_or(&facts.context),
        state: facts.state,
        description: &description,
        url: &page,
    };
    let ((url, body), authorization) = match &target.stash {
        Some(stash) => {
            let password = text(state, &stash.password, "password")?;
            let login = STANDARD.encode(format!("{}:{password}", stash.user));
            let posted = status_at_server(&stash.base_url, &status);
            (posted, format!("Basic {login}"))
        }
        None => at_host_of_repository(state, config, facts, &status)?,
    };
    Ok(Push::Webhook(Request {
        url,
        allow_private: true,
        key,
        kind: webhook::JSON,
        headers: vec![("Authorization", authorization)],
        body: body.to_string(),
    }))
}

/// What is posted at the code host of a repository, where, and the header that says who posts it.
fn at_host_of_repository(
    state: &State,
    config: &Config,
    facts: &CommitFacts,
    status: &CommitStatus<'_>,
) -> Result<((String, Json), String), Failure> {
    let known = config.repository(&facts.repository);
    let unknown = || {
        let name = &facts.repository;
        Failure::Never(format!(
            "the repository `{name}` has no code host that takes states"
        ))
    };
    let known = known.ok_or_else(unknown)?;
    let host = known.host.as_ref().ok_or_else(unknown)?;
    let kind = PullHost::named(host.kind).ok_or_else(unknown)?;
    let url = known.url().ok_or_else(unknown)?;
    let site = PullSite::of(kind, host.api.as_deref(), url).ok_or_else(unknown)?;
    let token = text(state, host.token.as_ref().ok_or_else(unknown)?, "token")?;
    Ok((site.status(status), kind.authorization(&token)))
}

/// The page about a commit, and its state in words.
fn about_commit(
    state: &State,
    config: &Config,
    (facts, waits): (&CommitFacts, Option<&str>),
) -> Result<(String, String), Failure> {
    Ok(match facts.build {
        None => {
            let page = build_url(&config.buildbot_url, &facts.builder, BuildNumber(0));
            let page = page.split("/builds/").next().unwrap_or_default().to_owned();
            let waits = waits.filter(|_| facts.state == CommitState::Pending);
            let said = waits.unwrap_or_else(|| facts.state.as_str());
            (page, said.to_owned())
        }
        Some((id, number)) => {
            let moment = Moment {
                is_running: false,
                now: Timestamp(i64::MAX),
            };
            let build = Build::of_id(state, id, moment);
            let build = build.map_err(|error| Failure::Later(error.to_string()))?;
            let text = build.map(|build| {
                let problems = build.count_of_problems();
                let news = match problems.as_str() {
                    "" => build.news.map_or("", |news| news.as_str()),
                    problems => problems,
                };
                format!("{} {news}", build.text.join(" "))
            });
            let text = text.filter(|_| facts.state != CommitState::Running);
            let said = text.map(|text| text.trim().to_owned()).unwrap_or_default();
            let description = match said.as_str() {
                "" => facts.state.as_str().to_owned(),
                said => said.to_owned(),
            };
            let page = build_url(&config.buildbot_url, &facts.builder, number);
            (page, description)
        }
    })
}

/// A secret that is text.
fn text(state: &State, secret: &Secret, noun: &str) -> Result<String, Failure> {
    String::from_utf8(read(state, secret)?)
        .map_err(|_| Failure::Later(format!("the {noun} is not UTF-8")))
}

fn read(state: &State, secret: &Secret) -> Result<Vec<u8>, Failure> {
    read_password(secret, state.basedir()).map_err(Failure::Later)
}

/// Refuses an address that is a private one as it is written (PSH-03); names are looked at when
/// they are looked up.
fn refuse_private(url: &str, is_allowed: bool) -> Result<(), Failure> {
    let parsed = reqwest::Url::parse(url).map_err(|error| Failure::Never(error.to_string()))?;
    let host = parsed.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse();
    if !is_allowed && address.is_ok_and(|address| !is_public(address)) {
        let why = format!("{host} is a private address (see `allow_private`)");
        return Err(Failure::Never(why));
    }
    Ok(())
}

/// The builds of a letter, and how many more there are.
fn builds(
    state: &State,
    config: &Config,
    letter: &LetterRow,
    telling: &Telling,
) -> Result<(Vec<Told>, u64), Failure> {
    let (facts, more) = match &letter.facts {
        LetterFacts::Build(facts) => (std::slice::from_ref(facts), 0),
        LetterFacts::BuildSet { builds, more, .. } => (builds.as_slice(), *more),
        LetterFacts::SlaveMissing { .. }
        | LetterFacts::Digest { .. }
        | LetterFacts::Commit(_)
        | LetterFacts::Problems(_)
        | LetterFacts::QuarantineEnds { .. }
        | LetterFacts::IrcCode { .. } => (&[][..], 0),
    };
    let mut told = Vec::new();
    for one in facts {
        let found = objects::of_build(state, config, one, &telling.modes);
        told.extend(found.map_err(|error| Failure::Later(error.to_string()))?);
    }
    Ok((told, more))
}

/// The kind of event, and what there is to say of it.
fn facts(
    state: &State,
    config: &Config,
    letter: &LetterRow,
    telling: &Telling,
) -> Result<(&'static str, Json), Failure> {
    let unreadable = |error: StoreError| Failure::Later(error.to_string());
    match &letter.facts {
        LetterFacts::Build(facts) => {
            let told = objects::of_build(state, config, facts, &telling.modes);
            let told = told.map_err(unreadable)?;
            let gone = || Failure::Never(format!("{}, and was pruned", letter.facts));
            Ok(("build", told.ok_or_else(gone)?.objects))
        }
        LetterFacts::BuildSet { set, builds, more } => {
            let mut told = Vec::new();
            for one in builds {
                let found = objects::of_build(state, config, one, &telling.modes);
                told.extend(found.map_err(unreadable)?);
            }
            Ok(("build_set", objects::of_set(config, *set, &told, *more)))
        }
        LetterFacts::SlaveMissing { .. }
        | LetterFacts::Digest { .. }
        | LetterFacts::Commit(_)
        | LetterFacts::Problems(_)
        | LetterFacts::QuarantineEnds { .. }
        | LetterFacts::IrcCode { .. } => Ok(("text", json!({ "text": letter.facts.to_string() }))),
    }
}
