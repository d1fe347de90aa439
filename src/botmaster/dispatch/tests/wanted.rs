//! Random rules of queues.

use proptest::prelude::*;

use crate::botmaster::dispatch::Judge;
use crate::config::expression::{Expression, Mode};
use crate::config::{BuilderConfig, Condition, Config, MergeRule, QueueRules, SlaveRules};

/// Rules of a queue. Requests are told apart by their revision, 0 to 2.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) merging: MergeRule,
    pub(super) limit: Option<u32>,
    /// Greater revisions go first.
    pub(super) by_revision: bool,
    /// Newer requests go first; after revisions.
    pub(super) newest_first: bool,
    /// Requests of one build have one revision.
    pub(super) merge_by: bool,
    /// Only big slaves take revision 1.
    pub(super) slave_if: bool,
    /// Big slaves go first for revision 2.
    pub(super) slave_order: bool,
}

pub(super) const PLAIN: Wanted = Wanted {
    merging: MergeRule::Compatible,
    limit: None,
    by_revision: false,
    newest_first: false,
    merge_by: false,
    slave_if: false,
    slave_order: false,
};

pub(super) fn wanted() -> impl Strategy<Value = Wanted> {
    let rule = prop_oneof![
        Just(MergeRule::Never),
        Just(MergeRule::Compatible),
        Just(MergeRule::SameBranch)
    ];
    let flags = prop::array::uniform5(prop::bool::weighted(0.4));
    (rule, prop::option::weighted(0.3, 1..3_u32), flags).prop_map(|(merging, limit, flags)| {
        let [by_revision, newest_first, merge_by, slave_if, slave_order] = flags;
        Wanted {
            merging,
            limit,
            by_revision,
            newest_first,
            merge_by,
            slave_if,
            slave_order,
        }
    })
}

impl Wanted {
    pub(super) fn judge(self) -> Option<Judge> {
        let compile = |text: &str| Expression::compile(text, Mode::Core, "test").unwrap();
        let some = |texts: &[(bool, &str)]| -> Vec<Expression> {
            let texts = texts.iter().filter(|(is_wanted, _)| *is_wanted);
            texts.map(|(_, text)| compile(text)).collect()
        };
        let slave_if = "src.revision != '1' or slave.big";
        let builder = BuilderConfig {
            queue: QueueRules {
                request_order: some(&[
                    (self.by_revision, "src.revision | int"),
                    (self.newest_first, "request.number"),
                ]),
                merge_by: some(&[(self.merge_by, "src.revision")]),
                merge_limit: None,
            },
            slave_rules: SlaveRules {
                slave_if: self.slave_if.then(|| Condition::If(compile(slave_if))),
                slave_order: some(&[(
                    self.slave_order,
                    "src.revision == '2' and slave.big and slave.running >= 0",
                )]),
                slave_property: None,
            },
            ..BuilderConfig::default()
        };
        Judge::of(&Config::default(), &builder)
    }
}
