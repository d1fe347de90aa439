//! What tables and lists of fields are made of.

use std::io;

use super::screen::{Screen, headline};
use crate::model::Properties;
use crate::text::commas;
use crate::text::table::Cell;

/// The heading of a table.
pub(super) fn heading(names: &[&str]) -> Vec<Cell> {
    let names = names.iter();
    names.map(|name| Cell::kept(name.to_uppercase())).collect()
}

/// Named values below a title; those without text are left out.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<Vec<Cell>>);

impl Fields {
    /// Adds a value in a cell.
    pub(super) fn cell(&mut self, name: &str, value: Cell) {
        self.0.push(vec![format!("  {name}").into(), value]);
    }

    /// Adds text, if there is any.
    pub(super) fn text(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.cell(name, Cell::wrapped(value));
        }
    }

    /// Prints them.
    pub(super) fn print(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        screen.table(&self.0)
    }
}

/// Prints properties with their sources, if there are any.
pub(super) fn properties(screen: &mut Screen<'_>, properties: &Properties) -> io::Result<()> {
    if properties.is_empty() {
        return Ok(());
    }
    screen.line("  properties")?;
    let rows: Vec<_> = properties
        .iter()
        .map(|(name, property)| {
            vec![
                format!("    {name}").into(),
                headline(&property.value.to_string()).into(),
                format!("from {}", property.source).into(),
            ]
        })
        .collect();
    screen.table(&rows)
}

/// Numbers in order, consecutive ones as one range: `1-3, 7`.
pub(super) fn runs(numbers: impl IntoIterator<Item = u64>) -> String {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let run = |(first, last): (u64, u64)| match last - first {
        0 => first.to_string(),
        1 => format!("{first}, {last}"),
        _ => format!("{first}-{last}"),
    };
    commas(runs.into_iter().map(run))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consecutive_numbers_are_one_run() {
        for (numbers, expected) in [
            (&[][..], ""),
            (&[7], "7"),
            (&[7, 8], "7, 8"),
            (&[1, 2, 3, 4, 9, 11, 12, 13], "1-4, 9, 11-13"),
        ] {
            assert_eq!(runs(numbers.iter().copied()), expected);
        }
    }
}
