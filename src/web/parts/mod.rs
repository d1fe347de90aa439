//! The components of pages: values that print themselves as HTML.
//!
//! Each derives `Template` and is marked as HTML, so that a page prints it with `{{ part }}`; the
//! texts inside are escaped by its own template.

mod bar;
mod chart;
mod link;
mod linked;
mod outcome;
mod rows;
mod time;

pub use bar::{Bar, Progress};
pub use chart::{DAY, DayStrip, TimeChart};
pub use link::{Link, Links, change, person, revision, slave};
pub use linked::{Piece, linked};
pub use outcome::{Mark, Outcome, Pill, Square, Tone};
pub use rows::{Look, Numbers, Rows};
pub use time::{Ago, Local, Since, Time, span, took};
