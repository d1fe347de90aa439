//! Rows of advice: what to say about names that a place does not have.

/// A place, what to do instead, and names there.
pub(super) type Row = (&'static str, &'static str, &'static [&'static str]);

/// The rows of a place.
pub(super) fn of(rows: &'static [Row], place: &str) -> impl Iterator<Item = &'static Row> {
    rows.iter().filter(move |(its, _, _)| *its == place)
}

/// The advice on a name of a place.
pub(super) fn find(rows: &'static [Row], place: &str, name: &str) -> Option<&'static str> {
    let mut rows = of(rows, place);
    let (_, advice, _) = rows.find(|(_, _, names)| names.contains(&name))?;
    Some(advice)
}
