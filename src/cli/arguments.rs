//! How the three programs read their command lines.
//!
//! Commit messages, reasons and names come from elsewhere, so an option that takes a value takes
//! whatever follows it, also when that begins with a dash. Of an option that is given twice the
//! last one counts, as in Buildbot's programs; lists such as `--property` grow instead. Both rules
//! hold for every option of every command, since they are applied here and not where an option is
//! declared.

use std::ffi::OsString;

use clap::{Arg, Command, Parser};

/// Reads the command line of the program `P`; the first argument is the name it was called by.
///
/// # Errors
/// The arguments are wrong, or ask for help or the version.
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

/// Whether it is an option that cannot stand without a value.
fn always_has_value(arg: &Arg) -> bool {
    let is_optional = arg
        .get_num_args()
        .is_some_and(|range| range.min_values() == 0);
    !arg.is_positional() && arg.get_action().takes_values() && !is_optional
}
