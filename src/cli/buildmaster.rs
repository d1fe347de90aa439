//! `buildmaster`: the verbs of the master, which needs Unix. One verb, one file.

mod asking;
mod audit;
mod backup;
mod base_dir;
mod bisect;
mod checkconfig;
mod completions;
mod config_files;
mod configuration;
mod control;
mod create_master;
mod demo;
mod duty;
mod force;
mod hash_password;
mod import_config;
mod import_state;
mod listing;
mod man;
mod may;
mod moment;
mod names;
mod new_state;
mod next_runs;
mod nth;
mod outbox;
mod pause;
mod preview;
mod problems;
mod quarantine;
mod reconfig;
mod schema;
mod show;
mod simulate;
mod sources;
mod start;
mod stop;
mod systemd_unit;
mod user;
mod verify;
mod why;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use super::{SAME_FILE, USAGE, complain, parse, program_commands, say, within, write_out};

/// A continuous-integration master to which every Buildbot slave connects.
#[derive(Clone, Debug, Parser)]
#[command(name = "buildmaster", version, max_term_width = 100, after_help = SAME_FILE)]
pub(super) struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Clone, Debug, Subcommand)]
enum Verb {
    /// Create a base directory with a small working configuration.
    CreateMaster(create_master::CreateMaster),
    /// Start a master and return when it is ready.
    Start(start::Start),
    /// Stop a running master.
    Stop(stop::Stop),
    /// Stop a running master and start it again.
    Restart(stop::Restart),
    /// Reconfigure a running master, or show what that would change.
    Reconfig(reconfig::Reconfig),
    /// Check a configuration and show all mistakes.
    Checkconfig(checkconfig::CheckConfig),
    Schema(schema::SchemaArgs),
    Simulate(simulate::Simulate),
    ImportConfig(import_config::ImportConfig),
    ImportState(import_state::ImportState),
    /// Show builders, slaves, changes, requests, builds and logs from the state on disk.
    Show(show::ShowArgs),
    Status(show::Status),
    Why(why::Why),
    /// Request a build.
    Force(force::Force),
    /// Repeat a finished build.
    Rebuild(force::Rebuild),
    /// Give a slave no new builds, also after a restart.
    Pause(pause::Pause),
    /// Give builds to a paused slave again.
    Unpause(pause::Unpause),
    /// Start no new builds on a builder.
    PauseBuilder(pause::PauseBuilder),
    /// Start builds on a paused builder again.
    UnpauseBuilder(pause::UnpauseBuilder),
    /// Shut a slave down once it is idle, and give it no new builds until then.
    Graceful(pause::Graceful),
    /// Stop a build.
    StopBuild(control::StopBuild),
    /// Stop the build of a request, even before the build has a number.
    StopRequest(control::StopRequest),
    /// Cancel a pending request.
    Cancel(control::Cancel),
    /// Ping all slaves of a builder.
    Ping(control::Ping),
    /// Cancel a clean stop (`stop --clean`) and start builds again.
    CancelStop(control::CancelStop),
    May(may::May),
    User(user::User),
    Quarantine(quarantine::QuarantineArgs),
    Duty(duty::DutyArgs),
    Audit(audit::AuditArgs),
    /// Have change sources look for changes now.
    Sources(sources::Sources),
    Outbox(outbox::Outbox),
    Preview(preview::PreviewArgs),
    Problems(problems::Problems),
    Bisect(bisect::Bisect),
    /// Print the hash of a password for a try user.
    HashPassword(hash_password::HashPassword),
    Backup(backup::Backup),
    Verify(verify::Verify),
    NewState(new_state::NewState),
    SystemdUnit(systemd_unit::SystemdUnit),
    /// Show live how changes to a small git repository become builds on a local slave.
    Demo(demo::Demo),
    Completions(completions::Completions),
    Man(man::Man),
}

/// Does what a command line of `buildmaster` says.
pub(super) fn buildmaster(args: Vec<OsString>) -> ExitCode {
    let cli = match parse::<Cli>(args) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let done = match cli.verb {
        Verb::CreateMaster(verb) => verb.run().map(|()| ExitCode::SUCCESS),
        Verb::Start(verb) => verb.run(),
        Verb::Stop(verb) => verb.run(),
        Verb::Restart(verb) => verb.run(),
        Verb::Reconfig(verb) => verb.run(),
        Verb::Checkconfig(verb) => verb.run().map(|good| {
            if good {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(USAGE)
            }
        }),
        Verb::Schema(verb) => verb.run().map(|()| ExitCode::SUCCESS),
        Verb::Simulate(verb) => verb.run(),
        Verb::ImportConfig(verb) => verb.run(),
        Verb::ImportState(verb) => verb.run(),
        Verb::Show(verb) => show::run(&verb),
        Verb::Status(verb) => verb.run(),
        Verb::Why(verb) => verb.run(),
        Verb::Force(verb) => verb.run(),
        Verb::Rebuild(verb) => verb.run(),
        Verb::Pause(verb) => verb.run(),
        Verb::Unpause(verb) => verb.run(),
        Verb::PauseBuilder(verb) => verb.run(),
        Verb::UnpauseBuilder(verb) => verb.run(),
        Verb::Graceful(verb) => verb.run(),
        Verb::StopBuild(verb) => verb.run(),
        Verb::StopRequest(verb) => verb.run(),
        Verb::Cancel(verb) => verb.run(),
        Verb::Ping(verb) => verb.run(),
        Verb::CancelStop(verb) => verb.run(),
        Verb::May(verb) => verb.run(),
        Verb::User(verb) => verb.run(),
        Verb::Quarantine(verb) => verb.run(),
        Verb::Duty(verb) => verb.run(),
        Verb::Audit(verb) => verb.run(),
        Verb::Sources(verb) => verb.run(),
        Verb::Outbox(verb) => verb.run(),
        Verb::Preview(verb) => verb.run(),
        Verb::Problems(verb) => verb.run(),
        Verb::Bisect(verb) => verb.run(),
        Verb::HashPassword(verb) => verb.run().map(|()| ExitCode::SUCCESS),
        Verb::Backup(verb) => verb.run().map(|()| ExitCode::SUCCESS),
        Verb::Verify(verb) => verb.run(),
        Verb::NewState(verb) => verb.run().map(|()| ExitCode::SUCCESS),
        Verb::SystemdUnit(verb) => verb.run().map(|()| ExitCode::SUCCESS),
        Verb::Demo(verb) => verb.run(),
        Verb::Completions(verb) => verb.run(),
        Verb::Man(verb) => verb.run(),
    };
    done.unwrap_or_else(|error| {
        complain(&format!("buildmaster: error: {error:#}"));
        ExitCode::FAILURE
    })
}
