//! The pages, one file each: the row of the table, and the function that shows it.

pub(super) mod about;
pub(super) mod home;

pub(super) use about::THEMES;
