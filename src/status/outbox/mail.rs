//! Letters as mail: about missing slaves (SLV-07, LAT-04), builds and sets (MAL-01 to MAL-14).
//!
//! Who is mailed, and how, is what the configuration in force says.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value as Json;

use super::message::{Parts, message_id, one_line};
use super::objects;
use super::program;
use super::recipients::{Recipients, address};
use super::smtp::Connections;
use super::turns::{Failure, Refused};
use super::wording::{self, About, Templates};
use super::{attachments, lookup};
use crate::config::{Config, MailNotifierConfig, MailTransport};
use crate::control::{Control, read_password};
use crate::model::{BuildFacts, Letter, LetterFacts, Results, SetId, Timestamp};
use crate::status::lookout::Lookout;
use crate::store::read::LetterRow;
use crate::store::{Reader, State, StoreError};
use crate::view;

/// What sends mail.
#[derive(Clone, Debug)]
pub(super) struct Post {
    pub(super) reader: Reader,
    pub(super) config: Arc<Config>,
    /// The identity of the state.
    pub(super) identity: Arc<str>,
    /// The templates of the user.
    pub(super) templates: Arc<Templates>,
    pub(super) connections: Arc<Connections>,
    pub(super) lookout: Lookout,
    /// Knows why builds wait; absent where no master runs.
    pub(super) control: Option<Control>,
}

/// A mail about builds before its recipients are known.
struct Draft {
    parts: Parts,
    /// The users who are interested.
    users: Vec<String>,
    /// Whether only they get it: a try is nobody else's business (PRB-18).
    is_try: bool,
}

impl Post {
    /// Whether the configuration has the target of a letter.
    pub(super) fn has_target(&self, name: &str) -> bool {
        super::has_target(&self.config, name)
    }

    /// Sends a letter.
    ///
    /// # Errors
    /// It was not taken.
    pub(super) async fn send(
        &self,
        letter: &LetterRow,
        now: Timestamp,
    ) -> Result<Refused, Failure> {
        if let LetterFacts::SlaveMissing { .. } = &letter.facts {
            let parts = missing(letter, &self.config, &self.identity)?;
            return self
                .give(&self.config.mail.transport(), parts, letter)
                .await;
        }
        if let LetterFacts::IrcCode { bot, person, nick } = &letter.facts {
            let parts = self.code(letter, (bot, person, nick)).await?;
            let transport = self.config.mail.transport();
            return self.give(&transport, parts, letter).await;
        }
        if let Some(irc) = self.config.irc(&letter.target) {
            return self.tell_by_irc(letter, irc, now).await;
        }
        if letter.target == Letter::LIVE {
            return self.tell_clients(letter).await;
        }
        let mut targets = self.config.status.iter();
        let found = targets.find_map(|target| {
            let mail = target.mail()?;
            (mail.telling.name == letter.target).then_some(mail)
        });
        let Some(notifier) = found else {
            return self.push(letter, now).await;
        };
        let parts = if let LetterFacts::Problems(told) = &letter.facts {
            self.write_of_problems(letter, told, notifier).await?
        } else if let LetterFacts::QuarantineEnds { .. } = &letter.facts {
            self.write_of_quarantine(letter, notifier).await?
        } else {
            self.write(letter, notifier).await?
        };
        self.give(&notifier.transport, parts, letter).await
    }

    /// The mail of a letter about builds, with its recipients.
    ///
    /// # Errors
    /// There is nothing to send, or nobody to send it to, or each recipient is to have a mail of
    /// their own (MAL-05).
    pub(super) async fn write(
        &self,
        letter: &LetterRow,
        notifier: &MailNotifierConfig,
    ) -> Result<Parts, Failure> {
        let (config, identity) = (Arc::clone(&self.config), Arc::clone(&self.identity));
        let templates = Arc::clone(&self.templates);
        let only = letter.recipient.clone();
        let (letter, wanted) = (letter.clone(), notifier.clone());
        let drafting = self.reader.read(move |state| {
            let draft = draft(state, (&config, &templates), &wanted, (&letter, &identity))?;
            Ok::<_, StoreError>((draft, view::register(state, &config)?))
        });
        let unreadable = |error: StoreError| Failure::Later(error.to_string());
        let (draft, register) = drafting.await.map_err(unreadable)?;
        let Draft {
            mut parts,
            users,
            is_try,
        } = draft?;
        if let Some(only) = only {
            parts.recipients = Recipients::only(&only);
            return Ok(parts);
        }
        let users = if notifier.to_interested {
            users
        } else {
            Vec::new()
        };
        let answers = lookup::ask(&notifier.lookup, &users).await?;
        let mut addresses = Vec::new();
        for who in &users {
            match address(who, &register, &notifier.lookup, &answers) {
                Some(address) => addresses.push(address),
                None => lookup::tell_unknown(who),
            }
        }
        let extra = if is_try {
            &[][..]
        } else {
            &notifier.extra_recipients
        };
        parts.recipients = Recipients::new(addresses, extra);
        if parts.recipients.is_empty() {
            let why = match users.is_empty() {
                true => "nobody is to be told".to_owned(),
                false => format!(
                    "no mail address is known of {}; see `lookup` and [people]",
                    crate::text::and_more(&users, 10)
                ),
            };
            return Err(Failure::Never(why));
        }
        let all: Vec<_> = parts.recipients.all().cloned().collect();
        match notifier.together || all.len() == 1 {
            true => Ok(parts),
            false => Err(Failure::Split(all)),
        }
    }

    pub(super) async fn give(
        &self,
        transport: &MailTransport,
        parts: Parts,
        letter: &LetterRow,
    ) -> Result<Refused, Failure> {
        let mail = parts.mail()?;
        match transport {
            MailTransport::Program(words) => program::give(words, &mail).await.map(|()| None),
            MailTransport::Smtp(server) => {
                let password = match &server.login {
                    Some((_, secret)) => Some(self.password(secret).await?),
                    None => None,
                };
                self.connections
                    .send(server, password, &mail, letter.tries)
                    .await
            }
        }
    }

    /// A password as it is now (OUT-15).
    async fn password(&self, secret: &crate::config::Secret) -> Result<String, Failure> {
        let secret = secret.clone();
        let read = self.reader.read(move |state| {
            let password = read_password(&secret, state.basedir());
            Ok::<_, StoreError>(password)
        });
        let read = read
            .await
            .map_err(|error| Failure::Later(error.to_string()))?;
        let password = read.map_err(Failure::Later)?;
        String::from_utf8(password)
            .map_err(|_| Failure::Later("the password is not UTF-8".to_owned()))
    }
}

/// The mail of a letter about builds.
fn draft(
    state: &State,
    (config, templates): (&Config, &Templates),
    notifier: &MailNotifierConfig,
    (letter, identity): (&LetterRow, &str),
) -> Result<Result<Draft, Failure>, StoreError> {
    let (facts, set, more) = match &letter.facts {
        LetterFacts::Build(facts) => (std::slice::from_ref(facts), None, 0),
        LetterFacts::BuildSet { set, builds, more } => (builds.as_slice(), Some(*set), *more),
        LetterFacts::Digest { count, .. } => {
            let about = (*count, letter.facts.to_string());
            return Ok(Ok(digest(about, config, notifier, (letter, identity))));
        }
        LetterFacts::SlaveMissing { .. }
        | LetterFacts::Commit(_)
        | LetterFacts::Problems(_)
        | LetterFacts::QuarantineEnds { .. }
        | LetterFacts::IrcCode { .. } => {
            return Ok(Err(Failure::Never("it is not about a build".to_owned())));
        }
    };
    let (mut told, modes) = (Vec::new(), &notifier.telling.modes);
    for one in facts {
        told.extend(objects::of_build(state, config, one, modes)?);
    }
    let (Some(first), Some(of_first)) = (told.first(), facts.first()) else {
        let why = format!("{}, and was pruned", letter.facts);
        return Ok(Err(Failure::Never(why)));
    };
    let (mut used, mut attached, mut left_out) = (0, Vec::new(), Vec::new());
    for one in &told {
        let kept = (set.is_some(), &mut used);
        let (some, rest) = attachments::logs(state, config, &notifier.add_logs, &one.build, kept);
        attached.extend(some);
        left_out.extend(rest);
    }
    if notifier.add_patch {
        attached.extend(attachments::patch(state, &first.build, &mut used)?);
    }
    let (about, mut objects, builder, result) = match set {
        None => (
            About::Build,
            first.objects.clone(),
            first.build.builder.to_string(),
            of_first.ending.result,
        ),
        Some(set) => {
            let results = facts.iter().map(|one| one.ending.result);
            let worst = results.fold(Results::Skipped, Results::worse);
            let objects = objects::of_set(config, set, &told, more);
            (About::Set, objects, format!("build set {set}"), worst)
        }
    };
    objects["not_attached"] = left_out.into();
    let wanted = (notifier.template.as_deref(), notifier.html);
    let worded = match wording::word(templates, about, wanted, &objects) {
        Ok(worded) => worded,
        Err(why) => return Ok(Err(Failure::Never(why))),
    };
    let of_result = (result.as_str(), builder.as_str());
    let users = told
        .iter()
        .flat_map(|one| one.build.interested_users.clone());
    let users: BTreeSet<_> = users.collect();
    let is_try = told.iter().all(|one| one.build.is_try);
    let parts = Parts {
        from: notifier.from.clone(),
        subject: wording::subject(&notifier.subject, of_result, config, &objects),
        id: message_id(identity, letter.id, &notifier.from),
        thread: set
            .or(of_first.set)
            .map(|set| thread(identity, set, &notifier.from)),
        at: letter.made_at,
        headers: headers(notifier, of_first, (set, result, &builder), &objects),
        text: worded.text,
        html: worded.html,
        attachments: attached,
        ..Parts::default()
    };
    Ok(Ok(Draft {
        parts,
        users: users.into_iter().collect(),
        is_try,
    }))
}

/// The mail that stands for many (OUT-10).
fn digest(
    (count, about): (u64, String),
    config: &Config,
    notifier: &MailNotifierConfig,
    (letter, identity): (&LetterRow, &str),
) -> Draft {
    let parts = Parts {
        from: notifier.from.clone(),
        subject: format!("{}: {count} letters more ({})", config.title, letter.order),
        id: message_id(identity, letter.id, &notifier.from),
        at: letter.made_at,
        text: format!(
            "Too many letters waited, so {count} of them became this one. The last: {about}.\n\
             The pages have the rest: {}\n",
            config.buildbot_url
        ),
        ..Parts::default()
    };
    Draft {
        parts,
        users: Vec::new(),
        is_try: false,
    }
}

/// What the mails about the builds of a set refer to (MAL-09).
fn thread(identity: &str, set: SetId, from: &str) -> String {
    let host = super::message::host_of(from);
    format!("<buildmaster.{identity}.set.{set}@{host}>")
}

/// The headers by which programs sort mails (MAL-09), and those of the settings.
fn headers(
    notifier: &MailNotifierConfig,
    facts: &BuildFacts,
    (set, result, builder): (Option<SetId>, Results, &str),
    objects: &Json,
) -> Vec<(String, String)> {
    let own = |name: &str, value: &str| (format!("X-Buildmaster-{name}"), value.to_owned());
    let mut headers = vec![own("Builder", builder), own("Result", result.as_str())];
    if let (None, Some(judgement)) = (set, facts.ending.judgement) {
        headers.push(own("Judgement", judgement.as_str()));
    }
    let problems = objects["problems"].as_array().into_iter().flatten();
    let problems: Vec<_> = problems.map(|one| one["problem"].to_string()).collect();
    if !problems.is_empty() {
        headers.push(own("Problem", &problems.join(", ")));
    }
    let extra = notifier.extra_headers.iter();
    headers.extend(extra.map(|(name, value)| (name.clone(), value.clone())));
    headers
}

/// The mail that a slave is missing.
///
/// # Errors
/// Nobody is to be mailed.
pub(super) fn missing(
    letter: &LetterRow,
    config: &Config,
    identity: &str,
) -> Result<Parts, Failure> {
    let LetterFacts::SlaveMissing {
        slave,
        since,
        why,
        admin,
    } = &letter.facts
    else {
        return Err(Failure::Never("it is not about a slave".to_owned()));
    };
    let to = config
        .slave(slave.as_str())
        .map(|slave| &slave.notify_on_missing);
    let Some(to) = to.filter(|to| !to.is_empty()) else {
        let why = format!("nobody is to be told: slave {slave} has no `notify_on_missing`");
        return Err(Failure::Never(why));
    };
    let project = one_line(&config.title);
    let slave = one_line(slave.as_str());
    let admin = match one_line(admin) {
        admin if admin.is_empty() => "unknown".to_owned(),
        admin => admin,
    };
    let what = match why {
        None => format!("has been away since {}", since.to_rfc3339()),
        Some(why) => format!("could not be had for a build: {}", one_line(why)),
    };
    let from = &config.mail.from;
    let text = format!(
        "The build slave {slave} of {project} {what}.\nIts administrator, as it said itself: {admin}.\n"
    );
    Ok(Parts {
        from: from.clone(),
        recipients: Recipients {
            to: to.clone(),
            cc: Vec::new(),
        },
        subject: format!("{project}: build slave {slave} is missing"),
        id: message_id(identity, letter.id, from),
        at: letter.made_at,
        text,
        ..Parts::default()
    })
}

#[cfg(test)]
mod tests;
