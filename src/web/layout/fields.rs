//! The fields of the console (WEB.md, section 4.2): one that several rows share is tall, one that
//! several columns share is wide.

/// What is in one place of the matrix.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Field {
    /// Nothing.
    Empty,
    /// A thing of this number, which is one with the same thing above and below.
    Tall(usize),
    /// A thing of this number, which is one with the same thing at the left and right.
    Wide(usize),
}

/// A field of the table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Placed {
    /// The column in which it begins.
    pub column: usize,
    /// How many columns it spans.
    pub columns: usize,
    /// How many rows it spans.
    pub rows: usize,
    /// What is in it.
    pub field: Field,
}

/// The fields that begin in each row, in order of column. `columns` has what is in each row of each
/// column. A row that only divides others (`divides`) has nothing in it; tall fields go through it,
/// and the rest of it is as wide as can be.
#[must_use]
pub fn lay_out(columns: &[Vec<Field>], divides: &[bool]) -> Vec<Vec<Placed>> {
    let of = |column: usize, row: usize| {
        let field = columns.get(column).and_then(|fields| fields.get(row));
        field.copied().unwrap_or(Field::Empty)
    };
    let mut covered = vec![0; columns.len()];
    let mut rows = Vec::with_capacity(divides.len());
    for (row, divides_here) in divides.iter().enumerate() {
        let mut placed: Vec<Placed> = Vec::new();
        for (column, covered) in covered.iter_mut().enumerate() {
            if *covered > row {
                continue;
            }
            let field = of(column, row);
            let mut height = 1;
            if let Field::Tall(_) = field {
                loop {
                    let next = row + height;
                    let is_divider = divides.get(next) == Some(&true);
                    let over = if is_divider { next + 1 } else { next };
                    if over >= divides.len() || of(column, over) != field {
                        break;
                    }
                    height = over + 1 - row;
                }
            }
            *covered = row + height;
            let joins = matches!(field, Field::Wide(_)) || *divides_here;
            match placed.last_mut() {
                Some(last)
                    if joins
                        && last.rows == 1
                        && last.field == field
                        && last.column + last.columns == column =>
                {
                    last.columns += 1;
                }
                Some(_) | None => placed.push(Placed {
                    column,
                    columns: 1,
                    rows: height,
                    field,
                }),
            }
        }
        rows.push(placed);
    }
    rows
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Columns of letters: `.` is empty, capitals are wide.
    fn columns(text: &[&str]) -> Vec<Vec<Field>> {
        let field = |c: char| match c {
            '.' => Field::Empty,
            c if c.is_uppercase() => Field::Wide(c as usize),
            c => Field::Tall(c as usize),
        };
        text.iter()
            .map(|column| column.chars().map(field).collect())
            .collect()
    }

    fn text(rows: &[Vec<Placed>]) -> Vec<String> {
        let one = |placed: &Placed| format!("{}+{}x{}", placed.column, placed.columns, placed.rows);
        rows.iter()
            .map(|row| row.iter().map(one).collect::<Vec<_>>().join(" "))
            .collect()
    }

    #[test]
    fn a_build_of_several_changes_is_tall_and_what_is_held_is_wide() {
        let columns = columns(&["Aaa", "A.b", "A.b"]);
        let rows = lay_out(&columns, &[false; 3]);
        assert_eq!(text(&rows), ["0+3x1", "0+1x2 1+1x1 2+1x1", "1+1x1 2+1x1"]);
    }

    #[test]
    fn a_tall_field_goes_through_a_row_that_divides_others() {
        let columns = columns(&[".a.a", ".b.c", ".b.."]);
        let rows = lay_out(&columns, &[true, false, true, false]);
        assert_eq!(
            text(&rows),
            ["0+3x1", "0+1x3 1+1x1 2+1x1", "1+2x1", "1+1x1 2+1x1"]
        );
    }

    proptest! {
        #[test]
        fn each_place_has_one_field_and_shows_what_is_there(
            columns in prop::collection::vec(prop::collection::vec(0_usize..8, 12), 0..8),
            divides in prop::collection::vec(any::<bool>(), 12),
        ) {
            let columns: Vec<Vec<Field>> = columns
                .iter()
                .map(|column| {
                    let fields = column.iter().zip(&divides);
                    fields
                        .map(|(number, divides)| match number {
                            _ if *divides => Field::Empty,
                            0..3 => Field::Empty,
                            3..6 => Field::Tall(*number),
                            number => Field::Wide(*number),
                        })
                        .collect()
                })
                .collect();
            let rows = lay_out(&columns, &divides);
            prop_assert_eq!(rows.len(), 12);
            let mut covered = vec![vec![0; 12]; columns.len()];
            for (row, fields) in rows.iter().enumerate() {
                prop_assert!(fields.is_sorted_by_key(|placed| placed.column));
                for placed in fields {
                    for column in placed.column..placed.column + placed.columns {
                        for at in row..row + placed.rows {
                            covered[column][at] += 1;
                            prop_assert!(divides[at] || columns[column][at] == placed.field);
                        }
                    }
                }
            }
            prop_assert!(covered.iter().flatten().all(|times| *times == 1));
        }
    }
}
