//! The rules by which all three programs read their command lines.
//!
//! An option with a value accepts any value, even if the value begins with a dash: commit messages,
//! reasons and names come from outside. If an option is repeated, the last value counts, as in
//! Buildbot's programs; lists such as `--property` collect all values. Both rules are applied here,
//! so they hold for every option of every command.

use std::ffi::OsString;

use clap::{Arg, Command, Parser};

/// Reads the command line of the program `P`. The first argument is the name of the program.
///
/// # Errors
/// The arguments are invalid, or request the help or the version.
pub(super) fn parse<P: Parser>(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<P, clap::Error> {
    let mut command = command::<P>();
    let mut matches = command.try_get_matches_from_mut(arguments)?;
    P::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

/// The command line of the program `P` with the rules of this module.
pub(super) fn command<P: Parser>() -> Command {
    forgiving(P::command())
}

fn forgiving(command: Command) -> Command {
    command
        .args_override_self(true)
        .mut_args(|arg| {
            if always_has_value(&arg) {
                arg.allow_hyphen_values(true)
            } else {
                arg
            }
        })
        .mut_subcommands(forgiving)
}

/// Whether `arg` is an option that requires a value.
fn always_has_value(arg: &Arg) -> bool {
    let is_optional = arg
        .get_num_args()
        .is_some_and(|range| range.min_values() == 0);
    !arg.is_positional() && arg.get_action().takes_values() && !is_optional
}
