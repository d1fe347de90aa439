//! `post_change_branch_tip` of Bazaar and Breezy: the arguments are the numbers of the old and the
//! new revision.

use std::path::Path;

use super::{Found, text};
use crate::client::Failed;
use crate::client::vc::run::{MAX_ANSWER_BYTES, Runner};
use crate::protocol::mail::bzr_log;
use crate::text::Encoding;
use crate::vc::Vc;

/// What to do when Bazaar fails.
const REMEDY: &str = "the changes of this push are not sent";

/// The new revisions of the mainline.
pub(super) async fn changes(
    dir: &Path,
    words: &[String],
    encoding: Encoding,
) -> Result<Found, Failed> {
    let [.., old, new] = words else {
        let usage = "the plugin calls it as `buildbot hook bzr OLD_REVNO NEW_REVNO`";
        return Err(Failed::Usage(usage.to_owned()));
    };
    let (Ok(old), Ok(new)) = (old.parse::<u64>(), new.parse::<u64>()) else {
        return Err(Failed::Usage(format!(
            "{old:?} and {new:?} are not revisions"
        )));
    };
    let mut found = Found::default();
    if new <= old {
        let note = "the branch was moved back; there is nothing new to build";
        found.notes.push(note.to_owned());
        return Ok(found);
    }
    let range = format!("{}..{new}", old + 1);
    let words = ["log", "--long", "-n1", "-v", "--forward", "-r", &range];
    let run = Runner::new(dir, Vc::Bzr.system().programs);
    let printed = run.output(&words, MAX_ANSWER_BYTES, REMEDY).await?;
    found.changes = bzr_log(&text(&printed, encoding));
    Ok(found)
}
