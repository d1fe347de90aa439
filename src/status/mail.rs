//! Mail about slaves that are missing (SLV-07, LAT-04).
//!
//! Who is mailed, and how, is what the configuration in force says. A mail is given to a program,
//! as `sendmail` takes it, which has a queue of its own. A mail that the program does not take is
//! kept while the master runs, and given to the program again after growing pauses (STA-04).

use std::fmt::Write as _;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tracing::{error, info, info_span, warn};

use crate::backoff::Backoff;
use crate::botmaster::{Event, SlaveEvent};
use crate::config::{Config, MailConfig};
use crate::control::{Interruption, News, Subscription};
use crate::model::{SlaveName, Timestamp};
use crate::net::Tasks;
use crate::process::{self, Limits, Lines, Output, Program};

/// How long the program may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Most mails that wait to be sent; more are dropped, with a line in the log.
const MOST_WAITING: usize = 1000;

/// Programs that run at once.
const MOST_AT_ONCE: usize = 4;

/// The pause after the first attempt.
const FIRST_PAUSE: Duration = Duration::from_secs(10);

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// A slave that is missing.
#[derive(Debug)]
struct Missing {
    slave: SlaveName,
    since: Timestamp,
    /// Why its instance could not be had, if it is a latent slave.
    why: Option<String>,
    /// Its administrator, as the slave itself told; empty if it told none.
    admin: String,
}

/// What is sent at once, and what waits.
struct Outbox {
    waiting: Arc<Semaphore>,
    at_once: Arc<Semaphore>,
    tasks: Tasks,
}

/// Mails for as long as the master runs.
pub async fn run(mut news: Subscription, config: watch::Receiver<Arc<Config>>, tasks: Tasks) {
    let outbox = Outbox {
        waiting: Arc::new(Semaphore::new(MOST_WAITING)),
        at_once: Arc::new(Semaphore::new(MOST_AT_ONCE)),
        tasks: tasks.clone(),
    };
    loop {
        let heard = tokio::select! {
            biased;
            heard = news.next() => heard,
            () = tasks.stopping() => return,
        };
        match heard.as_deref().map(|told| &told.news) {
            Ok(News::Event(Event::Slave(SlaveEvent::Missing {
                slave,
                since,
                why,
                admin,
            }))) => {
                let missing = Missing {
                    slave: slave.clone(),
                    since: *since,
                    why: why.clone(),
                    admin: admin.clone(),
                };
                let config = Arc::clone(&config.borrow());
                if let Some(text) = letter(&missing, &config) {
                    outbox.send(slave, config.mail.clone(), text);
                }
            }
            Ok(News::Event(_) | News::Build(_)) => {}
            Err(Interruption::Missed(missed)) => {
                warn!(
                    missed,
                    "news were missed: slaves may be missing without a mail"
                );
            }
            Err(Interruption::Ended) => return,
        }
    }
}

impl Outbox {
    fn send(&self, slave: &SlaveName, mail: MailConfig, text: String) {
        let slave = slave.as_str().to_owned();
        let Ok(place) = Arc::clone(&self.waiting).try_acquire_owned() else {
            error!(
                slave,
                "no mail is sent that the slave is missing: {MOST_WAITING} mails wait already"
            );
            return;
        };
        let (at_once, stopping) = (Arc::clone(&self.at_once), self.tasks.stopping());
        self.tasks.spawn(info_span!("mail", slave), async move {
            let attempt = || async {
                let _turn = at_once.acquire().await;
                send(&mail, &text).await
            };
            tokio::select! {
                biased;
                () = deliver(attempt) => info!("mailed that the slave is missing"),
                () = stopping => warn!("the master stops: no mail is sent that the slave is missing"),
            }
            drop(place);
        });
    }
}

/// Tries until it succeeds.
async fn deliver<F: Future<Output = Result<(), String>>>(mut attempt: impl FnMut() -> F) {
    let mut pauses = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    while let Err(why) = attempt().await {
        let pause = pauses.next_delay();
        error!(
            again_s = pause.as_secs(),
            "cannot mail that the slave is missing: {why}"
        );
        tokio::time::sleep(pause).await;
    }
}

/// The mail, with its headers; absent if nobody is to be mailed about this slave.
fn letter(missing: &Missing, config: &Config) -> Option<String> {
    let to = &config.slave(missing.slave.as_str())?.notify_on_missing;
    if to.is_empty() {
        return None;
    }
    let project = one_line(&config.title);
    let slave = one_line(missing.slave.as_str());
    let since = missing.since.to_rfc3339();
    let admin = match one_line(&missing.admin) {
        admin if admin.is_empty() => "unknown".to_owned(),
        admin => admin,
    };
    let what = match &missing.why {
        None => format!("has been away since {since}"),
        Some(why) => format!("could not be had for a build: {}", one_line(why)),
    };
    let mut text = format!(
        "From: {}\nTo: {}\nSubject: {project}: build slave {slave} is missing\n\
         MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n",
        config.mail.from,
        to.join(", "),
    );
    write!(
        text,
        "The build slave {slave} of {project} {what}.\nIts administrator, as it said itself: {admin}.\n"
    )
    .expect("a string accepts every write");
    Some(text)
}

/// What peers and people wrote must not bring headers or lines of its own.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

async fn send(mail: &MailConfig, text: &str) -> Result<(), String> {
    let name = mail.command.first().ok_or("mail_command is empty")?;
    let mut errors = Lines::new(|_| ());
    let limits = Limits {
        time: Some(PATIENCE),
        ..Limits::default()
    };
    let program = Program::new(&mail.command);
    let ended = process::run(
        &program,
        Some(text.as_bytes()),
        Output::Discarded,
        Output::To(&mut errors),
        limits,
    );
    let ended = ended
        .await
        .map_err(|error| format!("cannot run {name}: {error} (see mail_command)"))?;
    // A program that does not read the mail says by its exit code what that means.
    if ended.how.is_success() {
        return Ok(());
    }
    let (_, last) = errors.finish();
    let colon = if last.is_empty() { "" } else { ": " };
    Err(format!("{name} {}{colon}{last}", ended.how))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::config::SlaveConfig;

    #[tokio::test(start_paused = true)]
    async fn sta_04_a_mail_that_cannot_be_sent_for_ten_minutes_arrives_after() {
        let begin = tokio::time::Instant::now();
        let mut tries = 0;
        deliver(|| {
            tries += 1;
            let is_up = begin.elapsed() >= Duration::from_secs(600);
            let result = is_up.then_some(()).ok_or_else(|| "down".to_owned());
            std::future::ready(result)
        })
        .await;
        // After 10, 30, 70, 150, 310 and 630 seconds.
        assert_eq!((tries, begin.elapsed().as_secs()), (7, 630));
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_to_ten_minutes() {
        let begin = tokio::time::Instant::now();
        let mut at = Vec::new();
        deliver(|| {
            at.push(begin.elapsed().as_secs());
            let result = (at.len() == 10).then_some(());
            std::future::ready(result.ok_or_else(String::new))
        })
        .await;
        assert_eq!(at, [0, 10, 30, 70, 150, 310, 630, 1230, 1830, 2430]);
    }

    #[test]
    fn slv_07_the_mail_has_what_is_known_and_no_headers_of_others() {
        let mut missing = Missing {
            slave: "bot".into(),
            since: Timestamp::from_secs(1_000_000),
            why: None,
            admin: "zoe\nBcc: all@example.org".to_owned(),
        };
        let slave = SlaveConfig {
            name: "bot".into(),
            notify_on_missing: vec!["a@example.org".to_owned(), "b@example.org".to_owned()],
            ..SlaveConfig::default()
        };
        let mut config = Config {
            title: "Widget".to_owned(),
            mail: MailConfig {
                command: Vec::new(),
                from: "ci@example.org".to_owned(),
            },
            slaves: vec![Arc::new(slave)],
            ..Config::default()
        };
        insta::assert_snapshot!(letter(&missing, &config).unwrap(), @r"
        From: ci@example.org
        To: a@example.org, b@example.org
        Subject: Widget: build slave bot is missing
        MIME-Version: 1.0
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: 8bit

        The build slave bot of Widget has been away since 1970-01-12T13:46:40.000Z.
        Its administrator, as it said itself: zoe Bcc: all@example.org.
        ");
        missing.why = Some("its instance did not connect in time".to_owned());
        assert!(
            letter(&missing, &config)
                .unwrap()
                .contains("could not be had for a build: its instance did not connect in time.")
        );
        config.slaves.clear();
        assert_eq!(letter(&missing, &config), None);
    }
}
