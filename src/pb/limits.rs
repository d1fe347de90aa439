//! Limits on the memory that a peer can occupy (PROMISES; PROTOCOL sections 1 and 4.3).

/// Limits of one connection. A violation is a [`super::broker::ProtocolError`] and ends it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Maximum length of a string; Twisted's own limit is 640 KiB.
    pub string_bytes: usize,
    /// Maximum number of elements of a list.
    pub list_items: usize,
    /// Maximum nesting of lists.
    pub depth: usize,
    /// Maximum memory of a top-level message in bytes, strings and list slots together.
    pub message_bytes: usize,
    /// A larger `update` is split into parts while it arrives, and has no limit as a whole.
    pub part_bytes: usize,
    /// Maximum number of values in a message after all `dereference`s.
    pub expanded_values: usize,
    /// Maximum number of unanswered calls of the peer.
    pub unanswered_calls: usize,
    /// Maximum number of exported objects at a time.
    pub exports: usize,
}

impl Limits {
    /// Limits before the login: enough for a name, a challenge and a response.
    pub const BEFORE_LOGIN: Self = Self {
        string_bytes: 4 * 1024,
        list_items: 64,
        depth: 16,
        message_bytes: 16 * 1024,
        part_bytes: usize::MAX,
        expanded_values: 256,
        unanswered_calls: 8,
        exports: 64,
    };

    /// Limits after the login: Twisted's own limits, and a limit on whole messages.
    pub const LOGGED_IN: Self = Self {
        string_bytes: 640 * 1024,
        list_items: 640 * 1024,
        depth: 256,
        message_bytes: 32 * 1024 * 1024,
        part_bytes: usize::MAX,
        expanded_values: 1_000_000,
        unanswered_calls: 65_536,
        exports: 16_384,
    };

    /// Limits of a slave after the login: its only large messages are updates, which arrive in
    /// parts.
    pub const SLAVE: Self = Self {
        message_bytes: 4 * 1024 * 1024,
        part_bytes: 512 * 1024,
        ..Self::LOGGED_IN
    };
}
