//! The channels of a log.

/// A channel of a log (LOG-02). The numbers are those Buildbot's status clients know.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Channel {
    /// Standard output, and the text of followed files.
    Stdout = 0,
    /// Standard error.
    Stderr = 1,
    /// What the slave or the master says about the command.
    Header = 2,
}

impl Channel {
    /// All channels, by their number.
    pub const ALL: [Self; 3] = [Self::Stdout, Self::Stderr, Self::Header];
    /// What the command printed.
    pub const OUTPUT: [Self; 2] = [Self::Stdout, Self::Stderr];
}
