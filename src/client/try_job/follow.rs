//! Follows the builds of a set on the master's status objects (PROTOCOL section 13.2).
//!
//! One loop owns the board and the screen. The master's notifications arrive on the channel of one
//! observer object. Calls to the master wait for their answers in tasks of their own, so that the
//! loop always drains this channel, and their answers arrive as [`Answer`]s. Notifications are
//! handled first, because the master sent them before the waiting answers. Each object that the
//! master sends is released once. The counterpart is `status::pb`.

use std::collections::BTreeMap;
use std::future::Future;

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tracing::debug_span;

use super::board::{Board, Ending};
use super::remote::{call, name};
use super::screen::Screen;
use super::tail::tail_of;
use crate::model::Results;
use crate::net::{CallError, IncomingCall, Peer, Tasks};
use crate::pb::{Luid, Value};

/// Why the builds could not be followed to their end.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The connection is lost.
    Lost,
    /// The master has sent something invalid; for people.
    Nonsense(String),
}

/// The answer of the master to a call.
#[derive(Debug)]
enum Answer {
    /// A build has ended.
    Ended {
        builder: String,
        build: u64,
        ending: Ending,
    },
    /// The number of seconds after which a step is expected to end.
    StepExpected {
        builder: String,
        step: String,
        secs: f64,
    },
    /// The whole set has ended.
    SetEnded,
    /// The call has failed.
    Failed(CallError),
}

/// Follows the builds of `set` until all have ended.
///
/// # Errors
/// They could not be followed.
pub(super) async fn follow(
    peer: &Peer,
    set: Luid,
    board: &mut Board,
    screen: &mut Screen,
    tasks: &Tasks,
) -> Result<(), Trouble> {
    let requests = requests_of(peer, set).await?;
    let (observer, mut notifications) = peer.export(WAITING_NOTIFICATIONS);
    let (sender, mut answers) = mpsc::channel(WAITING_ANSWERS);
    let mut follower = Follower {
        peer: peer.clone(),
        observer,
        tasks: tasks.clone(),
        answers: sender,
        builds: BTreeMap::new(),
    };
    for (builder, request) in requests {
        board.add(&builder);
        follower.subscribe(request);
    }
    follower.wait_for_set(set);
    let mut ticks = interval(screen.period());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.reset();
    let mut observed = true;
    while !board.is_over() {
        tokio::select! {
            biased;
            call = notifications.recv(), if observed => match call {
                Some(call) => follower.on_notification(*call, board, screen),
                // The master released the observer: no more notifications, but answers may follow.
                None => observed = false,
            },
            // The follower holds a sender, so this never ends.
            Some(answer) = answers.recv() => follower.on_answer(answer, board, screen)?,
            _ = ticks.tick() => screen.tick(board),
            _lost = peer.lost() => return Err(Trouble::Lost),
        }
    }
    Ok(())
}

/// The connection is not read while this many notifications wait.
const WAITING_NOTIFICATIONS: usize = 64;
/// Number of waiting answers at which the tasks of calls wait too.
const WAITING_ANSWERS: usize = 64;
/// The interval of estimates, in seconds.
const ETA_INTERVAL_SECS: i64 = 20;
/// Maximum of an estimate that is believed, in seconds before or after now.
const MAX_ETA_SECS: f64 = 30.0 * 86_400.0;

/// Builders and their requests.
async fn requests_of(peer: &Peer, set: Luid) -> Result<Vec<(String, Luid)>, Trouble> {
    let answer = call(peer, set, "getBuildRequests", Vec::new()).await;
    let answer = answer.map_err(trouble)?;
    let pairs = answer.as_items().unwrap_or_default();
    let requests: Vec<_> = pairs
        .iter()
        .filter_map(|pair| match pair.as_items() {
            Some([builder, request]) => Some((name(builder)?, request.as_theirs()?)),
            Some(_) | None => None,
        })
        .collect();
    if requests.is_empty() || requests.len() != pairs.len() {
        let what = "the master does not list the builds of the job".to_owned();
        return Err(Trouble::Nonsense(what));
    }
    Ok(requests)
}

/// Follows the builds: makes calls and handles notifications.
struct Follower {
    peer: Peer,
    observer: Luid,
    tasks: Tasks,
    answers: mpsc::Sender<Answer>,
    /// The last build of each builder.
    builds: BTreeMap<String, Luid>,
}

impl Follower {
    fn subscribe(&self, request: Luid) {
        let observer = Value::Mine(self.observer);
        let subscribed = call(&self.peer, request, "subscribe", vec![observer]);
        self.answer_with(async move { subscribed.await.err().map(Answer::Failed) });
    }

    /// Masters of 0.8 report the end of the set. Requests without a build were then cancelled.
    fn wait_for_set(&self, set: Luid) {
        let ended = call(&self.peer, set, "waitUntilFinished", Vec::new());
        let peer = self.peer.clone();
        self.answer_with(async move {
            // Masters since 0.9 do not have this method.
            let again = ended.await.ok()?;
            release(&peer, &again);
            Some(Answer::SetEnded)
        });
    }

    fn on_notification(&mut self, call: IncomingCall, board: &mut Board, screen: &mut Screen) {
        let IncomingCall {
            method,
            args,
            reply,
            ..
        } = call;
        reply.value(Value::None);
        let mut kept = match (&*method, args.as_slice()) {
            (b"newbuild", [build, builder]) => match (build.as_theirs(), name(builder)) {
                (Some(build), Some(builder)) => {
                    self.on_new_build(build, builder, board);
                    Some(build)
                }
                _ => None,
            },
            (b"stepStarted", [builder, _build, step_name, step]) => {
                match (name(builder), name(step_name)) {
                    (Some(builder), Some(step_name)) => {
                        board.step_started(&builder, &step_name);
                        let step = step.as_theirs();
                        if let Some(step) = step {
                            self.ask_step_eta(step, builder, step_name);
                        }
                        step
                    }
                    _ => None,
                }
            }
            (b"stepFinished", [builder, _build, step, ..]) => {
                if let (Some(builder), Some(step)) = (name(builder), name(step)) {
                    board.step_finished(&builder, &step);
                }
                None
            }
            (b"buildETAUpdate", [builder, _build, secs]) => {
                let end = secs.as_float().and_then(|secs| after(screen, secs));
                if let (Some(builder), Some(end)) = (name(builder), end) {
                    board.build_expected(&builder, end);
                }
                None
            }
            // Unknown notifications are ignored.
            _ => None,
        };
        for object in args.iter().filter_map(Value::as_theirs) {
            // One receipt is kept by who asks about it.
            if kept == Some(object) {
                kept = None;
            } else {
                self.peer.release(object);
            }
        }
        screen.changed(board);
    }

    fn on_new_build(&mut self, build: Luid, builder: String, board: &mut Board) {
        let number = board.build_started(&builder);
        if let Some(earlier) = self.builds.insert(builder.clone(), build)
            && earlier != build
        {
            let observer = Value::Mine(self.observer);
            drop(call(&self.peer, earlier, "unsubscribe", vec![observer]));
        }
        let peer = self.peer.clone();
        let args = vec![Value::Mine(self.observer), Value::Int(ETA_INTERVAL_SECS)];
        let subscribed = call(&peer, build, "subscribe", args);
        let ended = call(&peer, build, "waitUntilFinished", Vec::new());
        self.answer_with(async move {
            // Without notifications of steps, the loop still waits for the end.
            drop(subscribed.await);
            Some(match ending_of(&peer, build, ended.await).await {
                Ok(ending) => Answer::Ended {
                    builder,
                    build: number,
                    ending,
                },
                Err(error) => Answer::Failed(error),
            })
        });
    }

    /// Only masters of 0.8 have objects for steps, and not all of these have an estimate.
    fn ask_step_eta(&self, step: Luid, builder: String, name: String) {
        let expected = call(&self.peer, step, "getETA", Vec::new());
        let peer = self.peer.clone();
        self.answer_with(async move {
            let expected = expected.await;
            peer.release(step);
            Some(Answer::StepExpected {
                builder,
                step: name,
                secs: expected.ok()?.as_float()?,
            })
        });
    }

    fn on_answer(
        &mut self,
        answer: Answer,
        board: &mut Board,
        screen: &mut Screen,
    ) -> Result<(), Trouble> {
        match answer {
            Answer::Ended {
                builder,
                build,
                ending,
            } => board.build_ended(&builder, build, ending),
            Answer::StepExpected {
                builder,
                step,
                secs,
            } => {
                if let Some(end) = after(screen, secs) {
                    board.step_expected(&builder, &step, end);
                }
            }
            Answer::SetEnded => board.set_ended(),
            Answer::Failed(error) => return Err(trouble(error)),
        }
        screen.changed(board);
        Ok(())
    }

    /// Makes a call in a task of its own, and sends its answer to the loop.
    fn answer_with(&self, question: impl Future<Output = Option<Answer>> + Send + 'static) {
        let answers = self.answers.clone();
        self.tasks.spawn(debug_span!("question"), async move {
            if let Some(answer) = question.await {
                // The loop may have ended.
                drop(answers.send(answer).await);
            }
        });
    }
}

/// Result, text and, after a failure, the tail of the log, of a build that ends when `ended` is
/// answered.
async fn ending_of(
    peer: &Peer,
    build: Luid,
    ended: Result<Value, CallError>,
) -> Result<Ending, CallError> {
    release(peer, &ended?);
    let result = call(peer, build, "getResults", Vec::new()).await?;
    let text = call(peer, build, "getText", Vec::new()).await?;
    let words = text.as_items().unwrap_or_default().iter();
    let words: Vec<String> = words.filter_map(name).collect();
    // A result that is not a number is unknown.
    let result = result.as_int().unwrap_or(-1);
    let failed = [Results::Failure, Results::Exception].map(|result| i64::from(result.number()));
    let tail = if failed.contains(&result) {
        tail_of(peer, build).await
    } else {
        None
    };
    // The earlier build of a builder is still to be unsubscribed from: it is released with the
    // connection.
    Ok(Ending {
        result,
        text: words.join(" "),
        tail,
    })
}

fn release(peer: &Peer, value: &Value) {
    if let Some(object) = value.as_theirs() {
        peer.release(object);
    }
}

fn after(screen: &Screen, secs: f64) -> Option<f64> {
    let secs = secs.clamp(-MAX_ETA_SECS, MAX_ETA_SECS);
    (!secs.is_nan()).then(|| screen.now().as_secs_f64() + secs)
}

fn trouble(error: CallError) -> Trouble {
    match error {
        CallError::Lost => Trouble::Lost,
        CallError::Remote(failure) => {
            let why = failure.reason();
            Trouble::Nonsense(format!("the master does not report the builds: {why}"))
        }
    }
}
