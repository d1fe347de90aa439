//! Tables for people that are written line by line, before all of their lines are known.

use std::fmt::Display;

use crate::text::printable;

/// The width of a column, in characters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column(pub(super) usize);

/// The widest that a column is made; longer texts stick out.
const WIDEST: usize = 40;

impl Column {
    /// Wide enough for `heading` and `texts`.
    pub(super) fn wide_enough<'a>(heading: &str, texts: impl IntoIterator<Item = &'a str>) -> Self {
        let widths = texts.into_iter().map(|text| text.chars().count());
        let widest = widths.max().unwrap_or(0).min(WIDEST);
        Self(widest.max(heading.chars().count()))
    }

    /// The text, safe to print, with spaces to the width of the column.
    pub(super) fn cell(self, text: &str) -> String {
        format!("{:<width$}", printable(text), width = self.0)
    }
}

/// Names, one after the other, safe to print.
pub(super) fn join<T: Display>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<_> = names.into_iter().map(|name| name.to_string()).collect();
    printable(&names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_as_wide_as_the_column_and_cannot_steer_the_terminal() {
        let column = Column::wide_enough("name", ["a", "bcdefg"]);
        assert_eq!(column.cell("a"), "a     ");
        assert_eq!(Column::wide_enough("name", []).cell("é"), "é   ");
        assert_eq!(column.cell("a\u{1b}[2J"), "a\u{fffd}[2J ");
        let long = "x".repeat(WIDEST + 1);
        assert_eq!(Column::wide_enough("name", [long.as_str()]).0, WIDEST);
        assert_eq!(column.cell(&long), long);
        assert_eq!(join(["a", "b\n"]), "a, b\u{fffd}");
    }
}
