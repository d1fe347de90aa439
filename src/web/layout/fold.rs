//! Which neighbouring steps share a box of the waterfall (WEB.md, section 4.1).

use std::ops::Range;
use std::time::Duration;

/// A step, as far as this is concerned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stage {
    /// How long it took.
    pub took: Duration,
    /// Whether it may share a box: it ended well.
    pub may_share: bool,
}

/// A box that would be lower than a line of text: 18 px at 4.6 s a pixel.
const SHORT: Duration = Duration::from_millis(82_800);

/// The steps of each box, in order: short ones share it with their neighbours, the next one rather
/// than the one before.
#[must_use]
pub fn fold(stages: &[Stage]) -> Vec<Range<usize>> {
    let took = |range: &Range<usize>| -> Duration {
        let stages = stages.get(range.clone()).unwrap_or_default();
        stages.iter().map(|stage| stage.took).sum()
    };
    let may_share = |at: usize| stages.get(at).is_some_and(|stage| stage.may_share);
    let mut boxes: Vec<Range<usize>> = Vec::new();
    for at in 0..stages.len() {
        match boxes.last_mut() {
            Some(last) if may_share(last.start) && may_share(at) && took(last) < SHORT => {
                last.end = at + 1;
            }
            Some(_) | None => boxes.push(at..at + 1),
        }
    }
    // What is short now is the last of some good steps.
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(boxes.len());
    for range in boxes {
        let is_short = may_share(range.start) && took(&range) < SHORT;
        match merged.last_mut() {
            Some(last) if is_short && may_share(last.start) => last.end = range.end,
            Some(_) | None => merged.push(range),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn boxes(text: &str) -> Vec<Range<usize>> {
        let stages = text.split(' ').map(|word| {
            let (may_share, secs) = match word.strip_prefix('!') {
                Some(secs) => (false, secs),
                None => (true, word),
            };
            Stage {
                took: Duration::from_secs(secs.parse().expect("a number")),
                may_share,
            }
        });
        fold(&stages.collect::<Vec<_>>())
    }

    #[test]
    fn short_steps_share_a_box_and_a_failed_one_never_does() {
        for (stages, expected) in [
            ("4", "1"),
            ("4 5 200", "3"),
            ("200 4", "2"),
            ("200 4 300", "1 2"),
            ("200 300", "1 1"),
            ("4 !5 4", "1 1 1"),
            ("200 4 !5 4 6", "2 1 2"),
        ] {
            let sizes: Vec<_> = boxes(stages).iter().map(|b| b.len().to_string()).collect();
            assert_eq!(sizes.join(" "), expected, "{stages}");
        }
    }

    proptest! {
        #[test]
        fn each_step_is_in_one_box_in_order(
            stages in prop::collection::vec((0_u64..300, any::<bool>()), 0..40)
        ) {
            let stages: Vec<_> = stages
                .into_iter()
                .map(|(secs, may_share)| Stage { took: Duration::from_secs(secs), may_share })
                .collect();
            let boxes = fold(&stages);
            let all: Vec<_> = boxes.iter().cloned().flatten().collect();
            prop_assert_eq!(all, (0..stages.len()).collect::<Vec<_>>());
            for range in &boxes {
                let shares = range.len() > 1;
                prop_assert!(!shares || stages[range.clone()].iter().all(|s| s.may_share));
            }
        }
    }
}
