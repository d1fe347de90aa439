//! A search of the farm.

use super::{Farm, ago};
use crate::model::{ChangeNumber, Line, Op, ProblemNumber, SearchNumber, SearchOp, SearchRecord};

impl Farm {
    /// A search for the cause of the first problem, among these changes.
    pub(super) fn search(&mut self, builder: &str, points: &[u64]) {
        let record = SearchRecord {
            number: SearchNumber(1),
            problem: Some(ProblemNumber(1)),
            builder: builder.into(),
            line: Line::default(),
            step: Some("test".to_owned()),
            test: None,
            is_absent_before: false,
            symptoms: Vec::new(),
            points: points.iter().map(|point| ChangeNumber(*point)).collect(),
            width: Some(1),
            runs: 1,
            max_builds: None,
            passed_before: 1,
            has_failed_alone: false,
            seeks_fix: false,
            guess: None,
            inside: None,
            who: String::new(),
            at: ago(5_000),
        };
        self.add([Op::Search(SearchOp::Begun(Box::new(record)))]);
    }
}
