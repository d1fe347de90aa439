//! What is to be known of the slave before its git is used: the version, and how to keep it from asking people. Pure.

use crate::protocol::{DefaultVariable, PromptVariable};

/// The version of a slave's git; of an unknown one nothing is expected that came later than the rest of what we use.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Version(u32, u32);

impl Version {
    /// Reads what `git --version` prints.
    pub(super) fn read(text: &str) -> Self {
        let mut numbers = text
            .split(|c: char| c.is_whitespace())
            .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))
            .into_iter()
            .flat_map(|word| word.split('.'))
            .map(|part| part.parse().unwrap_or(0));
        Self(numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
    }

    /// `words` if the version is at least `major.minor`, else none.
    pub(super) fn since(
        self,
        major: u32,
        minor: u32,
        words: &'static [&'static str],
    ) -> &'static [&'static str] {
        if self >= Self(major, minor) {
            words
        } else {
            &[]
        }
    }
}

/// Settings of git for questions to people, as a regular expression for `git config`.
pub(super) const ASKING_SETTINGS: &str = r"^core\.(askpass|sshcommand)$";

/// Variables that make git and ssh fail where they would wait for somebody to type something. What an operator has
/// chosen stays: `configured` is what `git config` has for [`ASKING_SETTINGS`].
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

/// Whether a repository may ask for a password or a passphrase; one on the slave's own disk does not.
pub(super) fn may_ask(repourl: &str) -> bool {
    let is_local = repourl.starts_with(['/', '.', '\\']) || repourl.starts_with("file://");
    !is_local && repourl.contains(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_git_prints() {
        for (text, version) in [
            ("git version 2.47.3\n", Version(2, 47)),
            ("git version 2.39.3 (Apple Git-146)\r\n", Version(2, 39)),
            ("git version 2.45.1.windows.1", Version(2, 45)),
            ("git version 1.8.3.1", Version(1, 8)),
            ("git version 2.52.GIT", Version(2, 52)),
            ("git version 3.x", Version(3, 0)),
            ("", Version(0, 0)),
            ("no such thing", Version(0, 0)),
        ] {
            assert_eq!(Version::read(text), version, "{text}");
        }
        let new = Version(2, 11);
        assert_eq!(new.since(2, 11, &["x"]), ["x"]);
        assert_eq!(new.since(2, 7, &["x"]), ["x"]);
        assert_eq!(new.since(1, 99, &["x"]), ["x"]);
        assert!(new.since(2, 12, &["x"]).is_empty());
        assert!(new.since(3, 0, &["x"]).is_empty());
    }

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

    #[test]
    fn only_repositories_elsewhere_may_ask() {
        for url in [
            "/srv/p.git",
            "../p",
            "file:///srv/p.git",
            "p",
            "\\\\host\\p",
        ] {
            assert!(!may_ask(url), "{url}");
        }
        for url in [
            "https://example.org/p",
            "ssh://host/p",
            "host:p",
            "me@host:p.git",
        ] {
            assert!(may_ask(url), "{url}");
        }
    }
}
