//! Variables of the environment by which programs ask people for passwords, or do not.

/// A variable that a command is given unless the environment has it, or another one that does the
/// same, already.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DefaultVariable {
    /// Its name.
    pub name: PromptVariable,
    /// Its value.
    pub value: &'static str,
    /// Other variables that make it superfluous.
    pub unless: &'static [PromptVariable],
}

/// A variable of the environment that decides whether and how a program asks people for a
/// password.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum PromptVariable {
    /// Whether git asks on the terminal.
    GitTerminalPrompt,
    /// The program that git asks by.
    GitAskpass,
    /// The ssh command line of git.
    GitSshCommand,
    /// The ssh program of git.
    GitSsh,
    /// The program that ssh asks by.
    SshAskpass,
    /// Whether ssh asks by that program even where it has a terminal.
    SshAskpassRequire,
    /// Whether the credential manager of Windows and macOS opens windows.
    GcmInteractive,
}

impl PromptVariable {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::GitTerminalPrompt,
        Self::GitAskpass,
        Self::GitSshCommand,
        Self::GitSsh,
        Self::SshAskpass,
        Self::SshAskpassRequire,
        Self::GcmInteractive,
    ];

    /// Its name in the environment.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GitTerminalPrompt => "GIT_TERMINAL_PROMPT",
            Self::GitAskpass => "GIT_ASKPASS",
            Self::GitSshCommand => "GIT_SSH_COMMAND",
            Self::GitSsh => "GIT_SSH",
            Self::SshAskpass => "SSH_ASKPASS",
            Self::SshAskpassRequire => "SSH_ASKPASS_REQUIRE",
            Self::GcmInteractive => "GCM_INTERACTIVE",
        }
    }
}
