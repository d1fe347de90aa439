//! The limits of a change, whatever source it comes from (INT-09).
//!
//! What is too long is cut and noted, so that the change is built all the same.

use super::Malformed;
use super::change::{MAX_COMMENTS_BYTES, MAX_FILES_BYTES, MAX_NAME_BYTES, MOST_FILES};
use crate::model::NewChange;

/// Cuts what is too long. Of too many files, the names that are left out are counted, and the
/// change is important for every rule.
pub fn bound(change: &mut NewChange) {
    bound_files(change);
    if cut(&mut change.comments, MAX_COMMENTS_BYTES) {
        let note = format!("the message was cut to {MAX_COMMENTS_BYTES} bytes");
        change.notes.push(note);
    }
    let mut cut_names = Vec::new();
    for (what, text) in names(change) {
        if cut(text, MAX_NAME_BYTES) {
            cut_names.push(format!("the {what} was cut to {MAX_NAME_BYTES} bytes"));
        }
    }
    change.notes.extend(cut_names);
}

/// As [`bound`], for a sender that is told what is wrong: a name that is too long is not cut.
///
/// # Errors
/// A name is longer than [`MAX_NAME_BYTES`]; the text says which.
pub(super) fn bound_or_refuse(change: &mut NewChange) -> Result<(), Malformed> {
    for (what, text) in names(change) {
        if text.len() > MAX_NAME_BYTES {
            return Err(Malformed::too_many(what, MAX_NAME_BYTES, "bytes"));
        }
    }
    bound(change);
    Ok(())
}

/// The names that a change has, with words for people.
fn names(change: &mut NewChange) -> impl Iterator<Item = (&'static str, &mut String)> {
    let names = [
        ("author", Some(&mut change.who)),
        ("revision", change.revision.as_mut()),
        ("branch", change.branch.as_mut()),
        ("project", Some(&mut change.project)),
        ("repository", Some(&mut change.repository)),
        ("codebase", Some(&mut change.codebase)),
        ("category", change.category.as_mut()),
        ("link", Some(&mut change.revlink)),
        ("kind", change.src.as_mut()),
    ];
    names
        .into_iter()
        .filter_map(|(what, text)| Some((what, text?)))
}

fn bound_files(change: &mut NewChange) {
    let (mut count, mut bytes) = (0, 0);
    let before = change.files.len();
    change.files.retain(|file| {
        let fits = count < MOST_FILES
            && file.len() <= MAX_NAME_BYTES
            && bytes + file.len() <= MAX_FILES_BYTES;
        if fits {
            count += 1;
            bytes += file.len();
        }
        fits
    });
    let left_out = u64::try_from(before - change.files.len()).unwrap_or(u64::MAX);
    change.files_left_out = change.files_left_out.saturating_add(left_out);
}

/// Cuts `text` to at most `limit` bytes; says whether it was longer.
fn cut(text: &mut String, limit: usize) -> bool {
    if text.len() <= limit {
        return false;
    }
    text.truncate(text.floor_char_boundary(limit));
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounded(change: NewChange) -> NewChange {
        let mut change = change;
        bound(&mut change);
        change
    }

    #[test]
    fn int_09_what_is_at_the_limit_stays() {
        let change = NewChange {
            who: "a".repeat(MAX_NAME_BYTES),
            comments: "c".repeat(MAX_COMMENTS_BYTES),
            files: vec!["f".to_owned(); MOST_FILES],
            ..NewChange::default()
        };
        assert_eq!(bounded(change.clone()), change);
    }

    #[test]
    fn int_09_what_is_beyond_the_limit_is_cut_and_noted() {
        let mut files = vec!["f".to_owned(); MOST_FILES + 1];
        files[0] = "x".repeat(MAX_NAME_BYTES + 1);
        let change = bounded(NewChange {
            who: "a".repeat(MAX_NAME_BYTES + 1),
            // A character of two bytes, which is not cut in two.
            comments: format!("{}ä", "c".repeat(MAX_COMMENTS_BYTES - 1)),
            files,
            files_left_out: 2,
            ..NewChange::default()
        });
        assert_eq!(change.who.len(), MAX_NAME_BYTES);
        assert_eq!(change.comments.len(), MAX_COMMENTS_BYTES - 1);
        assert_eq!(change.files.len(), MOST_FILES);
        assert_eq!(change.files_left_out, 3);
        let notes = [
            "the message was cut to 655360 bytes",
            "the author was cut to 16384 bytes",
        ];
        assert_eq!(change.notes, notes);
    }

    #[test]
    fn int_09_many_long_names_are_cut_by_their_bytes() {
        let files = vec!["f".repeat(MAX_NAME_BYTES); MAX_FILES_BYTES / MAX_NAME_BYTES + 1];
        let change = bounded(NewChange {
            files,
            ..NewChange::default()
        });
        assert_eq!(change.files_left_out, 1);
    }
}
