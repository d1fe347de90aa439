//! Tables that fit the terminal.
//!
//! If the output is not a terminal, nothing is cut: columns are as wide as their longest cells. On
//! a terminal, columns shrink, the widest first, each according to its cells. Columns that do not
//! fit even at their minimum width are left out, the last column first.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::printable;

/// The colours of terminals.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Colour {
    /// Something failed.
    Red = 31,
    /// Something succeeded.
    Green = 32,
    /// Something needs attention.
    Yellow = 33,
    /// Something unusual happened.
    Magenta = 35,
    /// Something did not happen.
    Cyan = 36,
}

impl Colour {
    /// The text in this colour.
    #[must_use]
    pub fn paint(self, text: &str) -> String {
        format!("{}{text}{}", self.begin(), Self::END)
    }

    /// The sequence that begins the colour.
    #[must_use]
    pub fn begin(self) -> String {
        format!("\x1b[{}m", self as u8)
    }

    /// The sequence that ends every colour.
    pub const END: &str = "\x1b[0m";
}

/// The width of a column in a table that is written line by line.
#[derive(Clone, Copy, Debug)]
pub struct Column(pub usize);

impl Column {
    /// Maximum width of a column; longer texts exceed it.
    const WIDEST: usize = 40;

    /// A column wide enough for `heading` and `texts`.
    pub fn wide_enough<'a>(heading: &str, texts: impl IntoIterator<Item = &'a str>) -> Self {
        let widest = texts.into_iter().map(UnicodeWidthStr::width).max();
        let widest = widest.unwrap_or(0).min(Self::WIDEST);
        Self(widest.max(heading.width()))
    }

    /// The text, safe to print, padded to the width of the column.
    #[must_use]
    pub fn cell(self, text: &str) -> String {
        let mut cell = printable(text);
        let missing = self.0.saturating_sub(cell.width());
        cell.extend(std::iter::repeat_n(' ', missing));
        cell
    }
}

/// A cell of a table.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    colour: Option<Colour>,
    fit: Fit,
}

/// How a cell shrinks.
#[derive(Clone, Debug)]
enum Fit {
    /// The text is cut and ends with `…`, down to this width.
    Cut(usize),
    /// The text never shrinks: a number or a heading.
    Keep,
    /// The text continues on the next line, after a comma or space if possible.
    Wrap,
    /// The text has a shorter form.
    Short(String),
}

impl Cell {
    /// A text that may be cut.
    pub fn coloured(text: impl AsRef<str>, colour: Colour) -> Self {
        let plain: Self = text.into();
        Self {
            colour: Some(colour),
            ..plain
        }
    }

    /// A text that is never cut.
    pub fn kept(text: impl ToString) -> Self {
        Self {
            fit: Fit::Keep,
            ..text.to_string().into()
        }
    }

    /// A list or a sentence, which continues on the next line.
    pub fn wrapped(text: impl AsRef<str>) -> Self {
        Self {
            fit: Fit::Wrap,
            ..text.into()
        }
    }

    /// A text that has a shorter form.
    pub fn shortened(text: impl AsRef<str>, short: &str) -> Self {
        Self {
            fit: Fit::Short(printable(short)),
            ..text.into()
        }
    }

    /// The cell with further text, which continues on the next line.
    pub fn and(self, more: &str) -> Self {
        Self {
            text: format!("{}, {}", self.text, printable(more)),
            fit: Fit::Wrap,
            ..self
        }
    }

    /// Sets the minimum width.
    pub fn at_least(self, least: usize) -> Self {
        let fit = Fit::Cut(least);
        Self { fit, ..self }
    }

    /// Whether the cell is empty.
    fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Width in columns of the terminal.
    fn width(&self) -> usize {
        self.text.width()
    }

    /// Minimum width at which the cell is readable.
    fn narrowest(&self) -> usize {
        let width = self.width();
        match &self.fit {
            Fit::Cut(least) => width.min(*least),
            Fit::Keep => width,
            Fit::Wrap => width.min(NARROWEST_LIST),
            Fit::Short(short) => short.width().min(width),
        }
    }

    /// The lines of the cell in a column of this width.
    fn lines(&self, width: usize) -> Vec<String> {
        if self.width() <= width {
            return vec![self.text.clone()];
        }
        match &self.fit {
            Fit::Cut(_) | Fit::Keep => vec![cut(&self.text, width)],
            Fit::Wrap => wrap(&self.text, width),
            Fit::Short(short) => vec![cut(short, width)],
        }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self {
            text: printable(text.as_ref()),
            colour: None,
            fit: Fit::Cut(NARROWEST),
        }
    }
}

/// The lines of a table with aligned columns, at most `room` columns wide if given.
pub fn lines(rows: &[Vec<Cell>], room: Option<usize>, is_coloured: bool) -> Vec<String> {
    let widths = widths(rows, room);
    let mut lines = Vec::with_capacity(rows.len());
    for row in rows {
        let shown = &row[..row.len().min(widths.len())];
        let Some(last) = shown.iter().rposition(|cell| !cell.is_empty()) else {
            lines.push(String::new());
            continue;
        };
        let cells = shown[..=last].iter().zip(&widths);
        let cells: Vec<_> = cells
            .map(|(cell, &width)| (cell.lines(width), cell.colour, width))
            .collect();
        let height = cells.iter().map(|(lines, ..)| lines.len()).max();
        for at in 0..height.unwrap_or_default() {
            lines.push(line(&cells, at, is_coloured));
        }
    }
    lines
}

/// One line of a row.
fn line(cells: &[(Vec<String>, Option<Colour>, usize)], at: usize, is_coloured: bool) -> String {
    let mut line = String::new();
    let mut gap = 0;
    for (i, (lines, colour, width)) in cells.iter().enumerate() {
        if i > 0 {
            gap += SEPARATOR;
        }
        let Some(text) = lines.get(at).filter(|text| !text.is_empty()) else {
            gap += width;
            continue;
        };
        line.extend(std::iter::repeat_n(' ', gap));
        match colour.filter(|_| is_coloured) {
            Some(colour) => line += &colour.paint(text),
            None => line += text,
        }
        gap = width.saturating_sub(text.width());
    }
    line
}

/// The widths of the visible columns.
fn widths(rows: &[Vec<Cell>], room: Option<usize>) -> Vec<usize> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |of: fn(&Cell) -> usize| -> Vec<usize> {
        let column = |i: usize| rows.iter().filter_map(move |row| row.get(i));
        (0..columns)
            .map(|i| column(i).map(of).max().unwrap_or(0))
            .collect()
    };
    let mut widths = widest(Cell::width);
    let Some(room) = room else {
        return widths;
    };
    let mut least = widest(Cell::narrowest);
    while least.len() > 1 && total(&least) > room {
        least.pop();
    }
    widths.truncate(least.len());
    if total(&widths) <= room {
        return widths;
    }
    while total(&widths) > room {
        let gives = (0..widths.len()).filter(|&i| widths[i] > least[i]);
        match gives.max_by_key(|&i| (widths[i], i)) {
            Some(i) => widths[i] -= 1,
            // A single column wider than the terminal is cut.
            None => {
                if let [only] = &mut widths[..] {
                    *only = room;
                }
                break;
            }
        }
    }
    // The rest of a cell may be narrower than its column.
    for (i, width) in widths.iter_mut().enumerate() {
        let cells = rows.iter().filter_map(|row| row.get(i));
        let lines = cells.flat_map(|cell| cell.lines(*width));
        *width = lines.map(|line| line.width()).max().unwrap_or(0);
    }
    widths
}

fn total(widths: &[usize]) -> usize {
    let separators = SEPARATOR * widths.len().saturating_sub(1);
    widths.iter().sum::<usize>() + separators
}

/// The beginning of a text, with `…` at its end.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let (head, _) = split(text, width.saturating_sub(1));
    match width {
        0 => String::new(),
        _ => format!("{}…", head.trim_end()),
    }
}

/// Splits the text into lines of this width, after a comma or at a space if possible.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = text;
    while rest.width() > width {
        let (head, tail) = split(rest, width);
        let fits = if tail.starts_with(' ') {
            head.len()
        } else {
            head.rfind(' ').map_or(head.len(), |space| space + 1)
        };
        // A word wider than the column is split.
        let (line, next) = rest.split_at(if fits == 0 { head.len() } else { fits });
        if line.is_empty() {
            break;
        }
        lines.push(line.trim_end().to_owned());
        rest = next.trim_start();
    }
    if !rest.is_empty() {
        lines.push(rest.to_owned());
    }
    lines
}

/// Splits the text into two parts. The first part is at most `width` wide and at least one
/// character long.
fn split(text: &str, width: usize) -> (&str, &str) {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > width && at > 0 {
            return text.split_at(at);
        }
    }
    (text, "")
}

const SEPARATOR: usize = 2;
/// Minimum width of a longer text.
const NARROWEST: usize = 8;
/// Minimum width of a longer list.
const NARROWEST_LIST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[Vec<Cell>], room: usize) -> Vec<String> {
        lines(rows, Some(room), false)
    }

    #[test]
    fn a_table_that_fits_is_left_as_it_is() {
        let rows = [
            vec![Cell::kept("A"), Cell::kept("B")],
            vec!["one".into(), "two three".into()],
        ];
        assert_eq!(table(&rows, 14), ["A    B", "one  two three"]);
        assert_eq!(lines(&rows, None, false), table(&rows, 14));
    }

    #[test]
    fn texts_are_cut_and_lists_go_on_in_the_next_line() {
        let list = "full-linux, full-mac, full-windows, quick";
        let rows = [vec![
            "a-long-name-of-a-slave".into(),
            Cell::kept(17),
            Cell::wrapped(list),
        ]];
        assert_eq!(
            table(&rows, 40),
            [
                "a-long-name-of-a…  17  full-linux,",
                "                       full-mac,",
                "                       full-windows,",
                "                       quick",
            ]
        );
        let all = lines(&rows, None, false);
        assert_eq!(all, [format!("a-long-name-of-a-slave  17  {list}")]);
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_and_no_name_of_a_list_is_lost() {
        let names: Vec<_> = (0..78).map(|n| format!("builder-{n:02}-of-many")).collect();
        let rows = [
            vec![Cell::kept("SLAVE"), Cell::kept("BUILDERS")],
            vec!["bot".into(), Cell::wrapped(names.join(", "))],
        ];
        for room in [30, 80, 132] {
            let lines = table(&rows, room);
            assert!(lines.iter().all(|line| line.width() <= room), "{lines:?}");
            let all = lines.join(" ");
            assert!(names.iter().all(|name| all.contains(name)), "{all}");
        }
    }

    #[test]
    fn what_does_not_fit_at_all_is_left_out_from_the_end() {
        let time = Cell::shortened("2011-03-13 07:06:50", "03-13 07:06");
        let rows = [vec![Cell::kept("full"), time, Cell::kept("important")]];
        assert_eq!(table(&rows, 36), ["full  2011-03-13 07:06:50  important"]);
        assert_eq!(table(&rows, 30), ["full  03-13 07:06  important"]);
        assert_eq!(table(&rows, 20), ["full  03-13 07:06"]);
        assert_eq!(table(&rows, 2), ["f…"]);
    }

    #[test]
    fn wide_characters_count_twice() {
        let rows = [vec!["構築構築構築".into(), Cell::kept("x")]];
        assert_eq!(table(&rows, 11), ["構築構…  x"]);
        let rows = [vec![
            Cell::wrapped("構築構築 構築構築構築"),
            Cell::kept("x"),
        ]];
        for line in table(&rows, 20) {
            assert!(line.width() <= 20, "{line}");
        }
    }

    #[test]
    fn cells_of_a_column_are_filled_and_cannot_steer_the_terminal() {
        let column = Column::wide_enough("name", ["a", "bcdefg"]);
        assert_eq!(column.cell("a"), "a     ");
        assert_eq!(Column::wide_enough("name", []).cell("é"), "é   ");
        assert_eq!(Column::wide_enough("name", []).cell("構"), "構  ");
        assert_eq!(column.cell("a\u{1b}[2J"), "a\u{fffd}[2J ");
        let long = "x".repeat(Column::WIDEST + 1);
        assert_eq!(
            Column::wide_enough("name", [long.as_str()]).0,
            Column::WIDEST
        );
        assert_eq!(column.cell(&long), long);
    }
}
