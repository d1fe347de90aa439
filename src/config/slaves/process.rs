//! `type = "process"`: a latent slave that is a native slave on this machine (LAT-11).

/// The keys that only these slaves have.
pub(super) const KEYS: &[&str] = &[
    "notify_on_missing",
    "build_wait_timeout",
    "missing_timeout",
    "stop_timeout",
];
