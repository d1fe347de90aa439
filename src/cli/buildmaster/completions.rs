//! `buildmaster completions`: prints shell completions for all three programs.

use std::process::ExitCode;

use clap::{Command, ValueEnum};
use clap_complete::Shell;

use super::{program_commands, write_out};

/// Print shell completions for buildmaster, buildbot and buildslave
///
/// To load the completions into the current shell, run `source <(buildmaster completions bash)` (or
/// zsh), or `buildmaster completions fish | source`. To load them into every shell, add the line to
/// ~/.bashrc, ~/.zshrc or ~/.config/fish/config.fish.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Completions {
    /// Shell to print completions for
    #[arg(value_enum)]
    shell: KnownShell,
    /// Print only the completions of this program
    #[arg(long, value_parser = ["buildmaster", "buildbot", "buildslave"])]
    program: Option<String>,
}

/// The supported shells.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum KnownShell {
    Bash,
    Zsh,
    Fish,
}

impl Completions {
    /// Prints the completions.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let shell = match self.shell {
            KnownShell::Bash => Shell::Bash,
            KnownShell::Zsh => Shell::Zsh,
            KnownShell::Fish => Shell::Fish,
        };
        let mut script = String::new();
        for mut command in program_commands() {
            let name = command.get_name().to_owned();
            if self.program.as_ref().is_none_or(|only| *only == name) {
                let mut generated = Vec::new();
                clap_complete::generate(shell, &mut command, name, &mut generated);
                script += &without_hidden(&command, String::from_utf8(generated)?);
            }
        }
        write_out(|out| out.write_all(script.as_bytes()))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Removes the hidden options of `command` and its verbs, which clap includes in its scripts.
fn without_hidden(command: &Command, script: String) -> String {
    let hidden = command.get_arguments().filter(|arg| arg.is_hide_set());
    let hidden = hidden.filter_map(|arg| arg.get_long());
    let script = hidden.fold(script, |script, long| {
        // In bash an option is a word of a list; in zsh and fish it has its own line.
        let (zsh, fish) = (format!("'--{long}["), format!(" -l {long} "));
        let lines = script.lines();
        let kept = lines.filter(|line| !line.contains(&zsh) && !line.contains(&fish));
        let kept = kept.map(|line| line.replace(&format!(" --{long}"), "") + "\n");
        kept.collect()
    });
    let verbs = command.get_subcommands();
    verbs.fold(script, |script, verb| without_hidden(verb, script))
}
