//! How git is kept from asking people on a slave. Pure.

use crate::protocol::{DefaultVariable, PromptVariable};

/// Variables that make git and ssh fail where they would wait for somebody to type something. What
/// an operator has chosen stays: `configured` is what `git config` has for
/// [`ASKING_SETTINGS`](crate::vc::git::ASKING_SETTINGS).
pub(super) fn quiet(configured: &str) -> Vec<DefaultVariable> {
    let configured = configured.to_ascii_lowercase();
    let mut variables = QUIET.to_vec();
    variables.retain(|variable| match variable.name {
        PromptVariable::GitAskpass => !configured.contains("core.askpass"),
        PromptVariable::GitSshCommand => !configured.contains("core.sshcommand"),
        PromptVariable::GitTerminalPrompt
        | PromptVariable::GitSsh
        | PromptVariable::SshAskpass
        | PromptVariable::SshAskpassRequire
        | PromptVariable::GcmInteractive => true,
    });
    variables
}

const QUIET: [DefaultVariable; 6] = [
    variable(PromptVariable::GitTerminalPrompt, "0", &[]),
    // Answers every question with nothing, also where git is too old to know the variable above.
    variable(PromptVariable::GitAskpass, "true", &[]),
    variable(
        PromptVariable::GitSshCommand,
        "ssh -o BatchMode=yes",
        &[PromptVariable::GitSsh],
    ),
    // For those who have an ssh command of their own.
    variable(PromptVariable::SshAskpass, "true", &[]),
    variable(
        PromptVariable::SshAskpassRequire,
        "force",
        &[PromptVariable::SshAskpass],
    ),
    variable(PromptVariable::GcmInteractive, "never", &[]),
];

const fn variable(
    name: PromptVariable,
    value: &'static str,
    unless: &'static [PromptVariable],
) -> DefaultVariable {
    DefaultVariable {
        name,
        value,
        unless,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_configured_stays() {
        let names = |configured| {
            let variables = quiet(configured).into_iter();
            variables.map(|v| v.name).collect::<Vec<_>>()
        };
        assert_eq!(names("").len(), QUIET.len());
        let rest = names("core.askPass /bin/pw\ncore.sshcommand ssh -i key\n");
        assert!(
            !rest.contains(&PromptVariable::GitAskpass)
                && !rest.contains(&PromptVariable::GitSshCommand)
        );
        assert_eq!(rest.len(), QUIET.len() - 2);
    }
}
