//! The small forms of things: a button or two, perhaps with a field for the reason. They are shown
//! only to those who may.

use askama::Template;

use crate::control::Target;
use crate::model::{Action, RequestId, SetId};
use crate::store::{State, StoreError};
use crate::verdict::ProblemState;
use crate::view::{Build, Holding, Problem, Search, Slave};
use crate::web::address;
use crate::web::page::{Marks, Scene};

/// Small forms beside each other.
#[derive(Debug, Default, Template)]
#[template(path = "buttons.html", config = "src/web/askama.toml")]
pub(super) struct Buttons {
    forms: Vec<Form>,
}

impl askama::filters::HtmlSafe for Buttons {}

/// A small form.
#[derive(Debug)]
struct Form {
    action: String,
    marks: Marks,
    /// The name and the label of the field for the reason.
    field: Option<(&'static str, &'static str)>,
    buttons: Vec<Button>,
}

/// A button.
#[derive(Debug, Default)]
struct Button {
    text: &'static str,
    class: &'static str,
    /// A field that the button sets.
    sets: Option<(&'static str, &'static str)>,
    title: &'static str,
}

impl Buttons {
    /// Stop a build that runs, rebuild one that has ended.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) fn of_build(
        state: &State,
        scene: &Scene,
        build: &Build,
    ) -> Result<Self, StoreError> {
        let target = Target::Build(build.builder.clone(), build.number);
        let own = address::build(&build.builder, build.number);
        let mut all = Self::default();
        match build.result {
            None => all.add(
                scene.form(state, Action::Stop, &target)?,
                format!("{own}/stop"),
                Some(("comments", "Why stop")),
                vec![danger("Stop")],
            ),
            Some(_) => all.add(
                scene.form(state, Action::Rebuild, &target)?,
                format!("{own}/rebuild"),
                Some(("comments", "Why rebuild")),
                vec![
                    Button {
                        sets: Some(("useSourcestamp", "exact")),
                        title: "the same revision and patch",
                        ..plain("Rebuild")
                    },
                    Button {
                        sets: Some(("useSourcestamp", "updated")),
                        title: "the same source stamp, which may be a newer revision",
                        ..plain("Rebuild the newest")
                    },
                ],
            ),
        }
        Ok(all)
    }

    /// Pause a slave, resume it, shut it down.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) fn of_slave(
        state: &State,
        scene: &Scene,
        slave: &Slave,
    ) -> Result<Self, StoreError> {
        let target = Target::Slave(slave.name.clone());
        let own = address::slave(&slave.name);
        let mut all = Self::default();
        let (what, field, button) = match slave.paused.is_some() {
            true => ("unpause", None, plain("Resume")),
            false => ("pause", Some(("reason", "Why pause")), plain("Pause")),
        };
        all.add(
            scene.form(state, Action::PauseSlave, &target)?,
            format!("{own}/{what}"),
            field,
            vec![button],
        );
        let button = match slave.graceful_since.is_some() {
            true => Button {
                sets: Some(("cancel", "1")),
                ..plain("Cancel the shutdown")
            },
            false => danger("Shut down when idle"),
        };
        all.add(
            scene.form(state, Action::StopSlave, &target)?,
            format!("{own}/shutdown"),
            None,
            vec![button],
        );
        Ok(all)
    }

    /// Cancel a request, in a list of many: without a field for the reason.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) fn of_row(
        state: &State,
        scene: &Scene,
        request: RequestId,
    ) -> Result<Self, StoreError> {
        // A reader without a login is shown no forms, whatever the rules say.
        if scene.reader.user().is_none() {
            return Ok(Self::default());
        }
        Ok(Self::one(
            scene.form(state, Action::Cancel, &Target::Request(request))?,
            format!("{}/cancel", address::request(request)),
            None,
            plain("Cancel"),
        ))
    }

    /// Cancel a request.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) fn of_request(
        state: &State,
        scene: &Scene,
        request: RequestId,
    ) -> Result<Self, StoreError> {
        Ok(Self::one(
            scene.form(state, Action::Cancel, &Target::Request(request))?,
            format!("{}/cancel", address::request(request)),
            Some(("comments", "Why cancel")),
            danger("Cancel"),
        ))
    }

    /// Cancel the requests of a set that wait, of which `one` is the first.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) fn of_set(
        state: &State,
        scene: &Scene,
        set: SetId,
        one: Option<RequestId>,
    ) -> Result<Self, StoreError> {
        let Some(one) = one else {
            return Ok(Self::default());
        };
        Ok(Self::one(
            scene.form(state, Action::Cancel, &Target::Request(one))?,
            format!("{}/cancel", address::build_set(set)),
            Some(("comments", "Why cancel")),
            danger("Cancel what waits"),
        ))
    }

    /// Ping the slaves of a builder, pause it, resume it.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) fn of_builder(
        state: &State,
        scene: &Scene,
        builder: &crate::model::BuilderName,
        is_paused: bool,
    ) -> Result<Self, StoreError> {
        let mut all = Self::default();
        let (what, field, button) = match is_paused {
            true => ("unpause", None, plain("Resume")),
            false => ("pause", Some(("reason", "Why pause")), plain("Pause")),
        };
        let target = Target::Builder(builder.clone());
        all.add(
            scene.form(state, Action::PauseBuilder, &target)?,
            format!("{}/{what}", address::builder(builder)),
            field,
            vec![button],
        );
        all.add(
            scene.form(state, Action::Ping, &target)?,
            format!("{}/ping", address::builder(builder)),
            None,
            vec![plain("Ping the slaves")],
        );
        Ok(all)
    }

    /// Reconfigure the master, stop it when the builds have ended, cancel that.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) fn of_master(state: &State, scene: &Scene) -> Result<Self, StoreError> {
        let mut all = Self::default();
        all.add(
            scene.form(state, Action::Reconfigure, &Target::Master)?,
            "/reconfigure".to_owned(),
            None,
            vec![plain("Read the configuration again")],
        );
        let (action, button) = match scene.facts.stopping {
            true => ("/cancel_shutdown", plain("Cancel the stop")),
            false => ("/shutdown", danger("Stop when builds have ended")),
        };
        all.add(
            scene.form(state, Action::Shutdown, &Target::Master)?,
            action.to_owned(),
            None,
            vec![button],
        );
        Ok(all)
    }

    /// What a reader says of a problem for themselves: claim it, release it, mute it, not theirs.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) fn of_problem(
        state: &State,
        scene: &Scene,
        problem: &Problem,
    ) -> Result<Self, StoreError> {
        let mut all = Self::default();
        let is_there = matches!(problem.state, ProblemState::Open | ProblemState::Dismissed);
        let Some(reader) = scene.reader.user().filter(|_| is_there) else {
            return Ok(all);
        };
        let target = Target::Problem(problem.number);
        let at = |what: &str| format!("{}/{what}", address::problem(problem.number));
        let has = |held: &[Holding]| held.iter().any(|one| one.person == reader);
        let claim = || scene.form(state, Action::Problem, &target);
        all.add(
            claim()?,
            at("claim"),
            None,
            vec![match has(&problem.hands.claims) {
                true => plain("Keep it for another day"),
                false => plain("I take it"),
            }],
        );
        if has(&problem.hands.claims) {
            all.add(claim()?, at("release"), None, vec![plain("Give it back")]);
        }
        let own = || scene.form(state, Action::View, &target);
        if !has(&problem.hands.not_mine) {
            all.add(own()?, at("not_mine"), None, vec![plain("Not mine")]);
        }
        match has(&problem.hands.mutes) {
            true => all.add(
                own()?,
                at("unmute"),
                None,
                vec![plain("Tell me of it again")],
            ),
            false => all.add(own()?, at("mute"), None, mutes()),
        }
        Ok(all)
    }

    /// What is said of a problem for all.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) fn of_work_on(
        state: &State,
        scene: &Scene,
        problem: &Problem,
    ) -> Result<Self, StoreError> {
        let mut all = Self::default();
        let target = Target::Problem(problem.number);
        let at = |what: &str| format!("{}/{what}", address::problem(problem.number));
        let form = || scene.form(state, Action::Problem, &target);
        let text = |label| Some(("text", label));
        match problem.state {
            ProblemState::Open => {
                let dismiss = vec![danger("Dismiss")];
                all.add(form()?, at("dismiss"), text("Why dismiss"), dismiss);
            }
            ProblemState::Dismissed => {
                all.add(form()?, at("reopen"), None, vec![plain("Take it up again")]);
            }
            ProblemState::Resolved
            | ProblemState::Gone
            | ProblemState::Flaky
            | ProblemState::Withdrawn => {}
        }
        match problem.hands.mute_of_all {
            Some(_) => all.add(
                form()?,
                at("unmute_all"),
                None,
                vec![plain("Tell all again")],
            ),
            None if problem.ended_at.is_none() => {
                all.add(
                    form()?,
                    at("mute_all"),
                    None,
                    vec![plain("Tell nobody of it")],
                );
            }
            None => {}
        }
        let who = Some(("person", "Who is guilty"));
        all.add(form()?, at("guilty"), who, vec![plain("Guilty")]);
        let who = Some(("person", "Who is not guilty"));
        all.add(form()?, at("not_guilty"), who, vec![plain("Not guilty")]);
        let address = text("Address of the ticket");
        all.add(form()?, at("ticket"), address, vec![plain("Link")]);
        Ok(all)
    }

    /// Stop a search that goes on.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) fn of_search(
        state: &State,
        scene: &Scene,
        search: &Search,
    ) -> Result<Self, StoreError> {
        if search.verdict.is_some() {
            return Ok(Self::default());
        }
        Ok(Self::one(
            scene.form(state, Action::Search, &Target::Master)?,
            format!("{}/stop", address::search(search.number)),
            Some(("comments", "Why stop")),
            danger("Stop"),
        ))
    }

    /// Search for the cause of a problem.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) fn of_cause(
        state: &State,
        scene: &Scene,
        problem: &Problem,
    ) -> Result<Self, StoreError> {
        let is_there = matches!(problem.state, ProblemState::Open | ProblemState::Dismissed);
        if !is_there || problem.after.is_none() || problem.first.is_none() {
            return Ok(Self::default());
        }
        let target = Target::Builder(problem.builder.clone());
        Ok(Self::one(
            scene.form(state, Action::Search, &target)?,
            format!("{}/bisect", address::problem(problem.number)),
            None,
            plain("Search for the culprit"),
        ))
    }

    /// Whether there are none.
    pub(super) const fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }

    /// One form with one button.
    fn one(
        marks: Option<Marks>,
        action: String,
        field: Option<(&'static str, &'static str)>,
        button: Button,
    ) -> Self {
        let mut all = Self::default();
        all.add(marks, action, field, vec![button]);
        all
    }

    fn add(
        &mut self,
        marks: Option<Marks>,
        action: String,
        field: Option<(&'static str, &'static str)>,
        buttons: Vec<Button>,
    ) {
        self.forms.extend(marks.map(|marks| Form {
            action,
            marks,
            field,
            buttons,
        }));
    }
}

fn mutes() -> Vec<Button> {
    let day = Button {
        sets: Some(("hours", "24")),
        ..plain("Mute for a day")
    };
    let end = Button {
        title: "you hear nothing of it any more, not even its end",
        ..plain("Mute until it ends")
    };
    vec![day, end]
}

fn plain(text: &'static str) -> Button {
    Button {
        text,
        ..Button::default()
    }
}

fn danger(text: &'static str) -> Button {
    Button {
        class: "danger",
        ..plain(text)
    }
}
