//! `addChange` (PROTOCOL section 12).
