//! Lists of branches, which several kinds have.

use crate::config::reader::Value;
use crate::config::trace::Wanted;

/// A list of branches, among which `false` is the default branch (ANY-02).
pub(super) fn read_branches(value: &Value<'_>) -> Option<Vec<Option<String>>> {
    let entries = value.list()?;
    if entries.is_empty() {
        let message = format!("{} has no branches", value.label);
        let help = "it starts nothing; without `branches` it builds every branch";
        value.sink.warning(value.span(), message, help);
    }
    let text = |entry: &Value<'_>| match entry.is_false() {
        true => Some(None),
        false if entry.among([Wanted::Text]).is_str() => entry.text().map(|t| Some(t.to_owned())),
        false => entry.expected("a string", "a string, or `false` for the default branch"),
    };
    let texts: Vec<_> = entries.iter().map(text).collect();
    texts.into_iter().collect()
}
