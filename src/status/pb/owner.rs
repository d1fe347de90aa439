//! Whose a build set is.

use super::User;
use crate::store::read::SetRow;

/// Whether `user` submitted the set. The reason names the user (TRY-05), and no user name can be
/// mistaken for another one followed by text.
pub(super) fn is_of(set: &SetRow, user: &User) -> bool {
    let whose = set.reason.strip_prefix("'try' job from user ");
    let rest = whose.and_then(|reason| reason.strip_prefix(user.name.as_str()));
    let is_theirs =
        rest.is_some_and(|r| r.is_empty() || r.starts_with(" by user ") || r.starts_with(" ("));
    set.scheduler.as_ref() == Some(&user.scheduler) && is_theirs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Properties, SetId, Timestamp};

    fn is_alices(reason: &str, scheduler: &str) -> bool {
        let set = SetRow {
            id: SetId(1),
            external_id: None,
            scheduler: Some(scheduler.into()),
            reason: reason.to_owned(),
            submitted_at: Timestamp(0),
            finished: None,
            properties: Properties::new(),
            requests: Vec::new(),
            parent: None,
        };
        let user = User {
            name: "alice".to_owned(),
            scheduler: "try".into(),
            builders: [].into(),
        };
        is_of(&set, &user)
    }

    #[test]
    fn tup_06_a_set_belongs_to_who_handed_it_in() {
        assert!(is_alices("'try' job from user alice", "try"));
        assert!(is_alices("'try' job from user alice by user bob", "try"));
        assert!(is_alices("'try' job from user alice (please)", "try"));
        assert!(!is_alices("'try' job from user alice", "try2"));
        assert!(!is_alices("'try' job from user alice2", "try"));
        assert!(!is_alices("'try' job from user bob by user alice", "try"));
        assert!(!is_alices("'try' job by user alice", "try"));
    }
}
