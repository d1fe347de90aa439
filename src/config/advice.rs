//! Rows of advice: what to say about names that a place, or a program, does not have.

/// A place, what to do instead, and names there.
pub(crate) type Row = (&'static str, &'static str, &'static [&'static str]);

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

/// The place that has `name`, wherever that is, and the advice on it.
pub(crate) fn anywhere(rows: &'static [Row], name: &str) -> Option<(&'static str, &'static str)> {
    let mut rows = rows.iter();
    let (place, advice, _) = rows.find(|(_, _, names)| names.contains(&name))?;
    Some((place, advice))
}
