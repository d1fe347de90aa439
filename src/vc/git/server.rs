//! What a repository's server says of the branch that is wanted. Pure.

/// The answer of `git ls-remote`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Answer {
    /// None: the server cannot be reached, or does not let the slave in.
    Silent,
    /// It has neither a branch nor a tag of the name.
    Lacks,
    /// It has this reference.
    Has(String),
}

impl Answer {
    /// Reads what `git ls-remote` prints; of `wanted` the first that is there counts.
    pub(crate) fn read(printed: &str, wanted: &[String]) -> Self {
        let has = |reference: &String| {
            let mut lines = printed.lines();
            lines.any(|line| line.split_once('\t').is_some_and(|(_, r)| r == reference))
        };
        match wanted.iter().find(|reference| has(reference)) {
            Some(reference) => Self::Has(reference.clone()),
            None => Self::Lacks,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_comes_before_a_tag_of_its_name() {
        let wanted = ["refs/heads/v2", "refs/tags/v2"].map(str::to_owned);
        let tag = "01\trefs/tags/v2\n02\trefs/tags/v2^{}\n";
        let both = format!("{tag}03\trefs/heads/v2\r\n");
        for (printed, answer) in [
            ("", Answer::Lacks),
            (
                "01\trefs/heads/v2/rc1\n02\trefs/old/refs/heads/v2\n",
                Answer::Lacks,
            ),
            (tag, Answer::Has("refs/tags/v2".to_owned())),
            (&both, Answer::Has("refs/heads/v2".to_owned())),
        ] {
            assert_eq!(Answer::read(printed, &wanted), answer, "{printed:?}");
        }
    }
}
