//! Builds of a builder of one slave, for the benches of the store.

use std::sync::Arc;

use buildmaster::model::journal::BuildStart;
use buildmaster::model::{
    BuildId, BuildNumber, BuildSet, ChangeNumber, Op, Properties, RequestId, SetId, SourceStamps,
    Timestamp,
};

/// What is written of the begin of a build: its set, and that it has started.
pub(crate) fn begun(number: u64, stamps: SourceStamps, changes: Vec<ChangeNumber>) -> Vec<Op> {
    vec![
        Op::SetSubmitted(Arc::new(BuildSet {
            id: SetId(number),
            external_id: None,
            scheduler: None,
            stamps: Arc::new(stamps),
            reason: String::new(),
            properties: Arc::new(Properties::new()),
            submitted_at: Timestamp(0),
            priority: 0,
            requests: vec![(RequestId(number), "quick".into())],
            parent: None,
        })),
        Op::BuildStarted(Arc::new(BuildStart {
            build: BuildId(number),
            builder: "quick".into(),
            number: BuildNumber(number),
            builddir: "quick".to_owned(),
            slave: "bot".into(),
            requests: vec![RequestId(number)],
            changes,
            ..BuildStart::default()
        })),
    ]
}
