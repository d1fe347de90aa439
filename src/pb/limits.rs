//! What a peer may make us hold (PROMISES; PROTOCOL sections 1 and 4.3).

/// Limits of one connection. A violation is a [`super::broker::ProtocolError`] and ends it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Longest string; Twisted's own limit is 640 KiB.
    pub string_bytes: usize,
    /// Most elements of one list.
    pub list_items: usize,
    /// Deepest nesting of lists.
    pub depth: usize,
    /// Most bytes of one top-level message, strings and list slots together, counted as memory.
    pub message_bytes: usize,
    /// An `update` that is larger is handed on in parts while it arrives, and has no limit as a
    /// whole.
    pub part_bytes: usize,
    /// Most values that `dereference` may make one message stand for.
    pub expanded_values: usize,
    /// Most calls of the peer that wait for our answer.
    pub unanswered_calls: usize,
    /// Most objects that we export at a time.
    pub exports: usize,
}

impl Limits {
    /// Before login: enough for a name, a challenge and a response.
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

    /// After login: what Twisted itself allows, and a bound on the whole.
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

    /// Of a slave after login: what it says that is large are updates, which come in parts.
    pub const SLAVE: Self = Self {
        message_bytes: 4 * 1024 * 1024,
        part_bytes: 512 * 1024,
        ..Self::LOGGED_IN
    };
}
