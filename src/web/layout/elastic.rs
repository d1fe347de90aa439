//! An axis of time that is as short as the texts allow (WEB.md, section 4.1).
//!
//! Boxes stand in lanes. Their beginnings and ends are the boundaries of the axis; those within 7 s
//! are one. Walking forward, the axis grows by as much as passes at 4.6 s a pixel, by less where
//! nothing runs, and by at least what the boxes that end need. It is drawn from the newest boundary
//! down, as rows of a table whose heights are one of six classes.

use std::time::Duration;

use crate::model::Timestamp;

/// A box in a lane. The boxes of one lane do not overlap in time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Item {
    /// Its lane, from 0.
    pub lane: usize,
    /// When it begins.
    pub begin: Timestamp,
    /// When it ends.
    pub end: Timestamp,
    /// The height of its text in pixels.
    pub height: u32,
    /// Whether something runs in it: a time in which nothing does is cut short.
    pub runs: bool,
}

/// A row of the table.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Row {
    /// Its height in units of 4 px, from 1 to 6.
    pub height: u8,
    /// The cells that begin in it, in order of lane.
    pub cells: Vec<Cell>,
}

/// A cell of the table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cell {
    /// Its lane.
    pub lane: usize,
    /// The number of its box; absent where the lane is empty.
    pub item: Option<usize>,
    /// How many rows it spans.
    pub rows: usize,
}

/// Boundaries so near are one.
const NEAR: Duration = Duration::from_secs(7);

/// The time of a pixel, in microseconds.
const PIXEL: u64 = 4_600_000;

/// Pixels of a unit of height, and the greatest height of a row in units.
const UNIT: u64 = 4;
const HIGHEST: u64 = 6;

/// Most pixels between two boundaries by time alone: where nothing runs, and where something does.
/// A build of a whole night must not make the page as long as the night.
const IDLE: u64 = 24;
const BUSY: u64 = 240;

/// Rows from the newest to the oldest, for `items` in `lanes` lanes, between two times. Items
/// beyond these times are cut; those of one lane must be in order of time.
#[must_use]
pub fn lay_out(items: &[Item], lanes: usize, (from, to): (Timestamp, Timestamp)) -> Vec<Row> {
    let spans = in_order(items, lanes, from, to);
    let axis = Axis::new(&spans, from, to);
    let heights = axis.heights(items);
    let mut rows = Vec::new();
    // The row at which the interval below each boundary begins; boundary 0 is the oldest.
    let mut top = vec![0; axis.times.len()];
    for (place, units) in heights.iter().enumerate().rev() {
        top[place + 1] = rows.len();
        let mut left = *units;
        while left > 0 {
            let height = left.min(HIGHEST);
            left -= height;
            rows.push(Row {
                height: u8::try_from(height).unwrap_or(1),
                cells: Vec::new(),
            });
        }
    }
    top[0] = rows.len();
    let last = axis.times.len() - 1;
    let mut lane_items: Vec<Vec<usize>> = vec![Vec::new(); lanes];
    for span in &spans {
        lane_items[span.lane].push(span.item);
    }
    for (lane, own) in lane_items.iter().enumerate() {
        let mut put = |item, newer: usize, older: usize| {
            let (first, end) = (top[newer], top[older]);
            if let Some(row) = rows.get_mut(first) {
                row.cells.push(Cell {
                    lane,
                    item,
                    rows: end - first,
                });
            }
        };
        let mut edge = last;
        for &item in own.iter().rev() {
            let (begin, end) = axis.places[item].unwrap_or((edge, edge));
            if end < edge {
                put(None, edge, end);
            }
            put(Some(item), end, begin);
            edge = begin;
        }
        if edge > 0 {
            put(None, edge, 0);
        }
    }
    rows
}

/// A box as it stands on the axis.
struct Span {
    item: usize,
    lane: usize,
    begin: i64,
    end: i64,
}

/// The boxes of each lane in order, cut, and apart from each other by at least a moment.
fn in_order(items: &[Item], lanes: usize, from: Timestamp, to: Timestamp) -> Vec<Span> {
    let mut edges = vec![from.0; lanes];
    let mut spans = Vec::with_capacity(items.len());
    for (place, item) in items.iter().enumerate() {
        let Some(edge) = edges.get_mut(item.lane) else {
            continue;
        };
        if item.end < from || item.begin > to {
            continue;
        }
        let begin = item.begin.0.max(*edge);
        let end = item.end.0.min(to.0).max(begin + 1);
        *edge = end;
        spans.push(Span {
            item: place,
            lane: item.lane,
            begin,
            end,
        });
    }
    spans
}

/// The boundaries, from the oldest on, and between which of them each box is.
struct Axis {
    times: Vec<i64>,
    places: Vec<Option<(usize, usize)>>,
}

impl Axis {
    fn new(spans: &[Span], from: Timestamp, to: Timestamp) -> Self {
        // Of one moment, ends come before beginnings.
        let mut events = Vec::with_capacity(spans.len() * 2 + 1);
        for (at, span) in spans.iter().enumerate() {
            events.push((span.begin, true, at));
            events.push((span.end, false, at));
        }
        events.sort_unstable();
        let near = i64::try_from(NEAR.as_micros()).unwrap_or(i64::MAX);
        let mut times = vec![from.0];
        let mut begins = vec![0; spans.len()];
        let items = spans.iter().map(|span| span.item + 1).max().unwrap_or(0);
        let mut places = vec![None; items];
        for (time, is_begin, at) in events {
            let place = times.len() - 1;
            let is_near = time.saturating_sub(times[place]) < near;
            // A box has at least one interval of its own.
            let would_vanish = !is_begin && begins[at] == place;
            if !is_near || would_vanish {
                times.push(time);
            }
            let place = times.len() - 1;
            match is_begin {
                true => begins[at] = place,
                false => places[spans[at].item] = Some((begins[at], place)),
            }
        }
        if times.len() == 1 || times.last().is_some_and(|last| to.0 - last >= near) {
            times.push(to.0);
        }
        Self { times, places }
    }

    /// The height of each interval in units, from the oldest on.
    fn heights(&self, items: &[Item]) -> Vec<u64> {
        let count = self.times.len();
        let mut ending: Vec<Vec<usize>> = vec![Vec::new(); count];
        let mut running = vec![0_i64; count + 1];
        for (item, place) in self.places.iter().enumerate() {
            if let Some((begin, end)) = *place {
                ending[end].push(item);
                if items[item].runs {
                    running[begin] += 1;
                    running[end] -= 1;
                }
            }
        }
        let mut y = vec![0_u64; count];
        let mut heights = Vec::with_capacity(count);
        let mut busy = 0;
        for at in 1..count {
            busy += running[at - 1];
            let passed = u64::try_from(self.times[at] - self.times[at - 1]).unwrap_or(0);
            let most = if busy > 0 { BUSY } else { IDLE };
            let by_time = (passed / PIXEL).clamp(UNIT, most);
            let mut end = y[at - 1] + by_time;
            for &item in &ending[at] {
                let begin = self.places[item].map_or(0, |(begin, _)| begin);
                end = end.max(y[begin] + u64::from(items[item].height));
            }
            let units = (end - y[at - 1]).div_ceil(UNIT);
            y[at] = y[at - 1] + units * UNIT;
            heights.push(units);
        }
        heights
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn item(lane: usize, begin: i64, end: i64) -> Item {
        Item {
            lane,
            begin: at(begin),
            end: at(end),
            height: 18,
            runs: true,
        }
    }

    /// The rows as text: height, and the cells as lane, box and rows.
    fn text(rows: &[Row]) -> Vec<String> {
        let cell = |cell: &Cell| {
            let item = cell.item.map_or("-".to_owned(), |item| item.to_string());
            format!("{}:{item}x{}", cell.lane, cell.rows)
        };
        let row = |row: &Row| {
            let cells: Vec<_> = row.cells.iter().map(cell).collect();
            format!("{} {}", row.height, cells.join(" "))
        };
        rows.iter().map(row).collect()
    }

    #[test]
    fn an_idle_night_is_a_line_and_a_busy_minute_has_the_room_it_needs() {
        let items = [item(0, 0, 60), item(0, 43_200, 43_260)];
        let rows = lay_out(&items, 1, (at(0), at(43_260)));
        // 60 s are 13 px, but a line of text needs 18; the twelve hours between are 24.
        assert_eq!(text(&rows), ["5 0:1x1", "6 0:-x1", "5 0:0x1"]);
    }

    #[test]
    fn what_is_near_has_one_boundary_and_what_has_no_length_has_a_row() {
        let items = [item(0, 0, 100), item(1, 3, 104), item(1, 104, 104)];
        let rows = lay_out(&items, 2, (at(0), at(104)));
        assert_eq!(text(&rows), ["5 0:-x1 1:2x1", "6 0:0x1 1:1x1"]);
    }

    #[test]
    fn an_empty_axis_has_a_row() {
        assert_eq!(text(&lay_out(&[], 2, (at(0), at(0)))), ["1 0:-x1 1:-x1"]);
    }

    fn items() -> impl Strategy<Value = Vec<Item>> {
        let one = (
            0_usize..4,
            0_i64..4000,
            0_i64..2000,
            0_u32..60,
            any::<bool>(),
        );
        prop::collection::vec(one, 0..60).prop_map(|all| {
            let mut edges = [0; 4];
            let mut items: Vec<_> = all
                .into_iter()
                .map(|(lane, gap, long, height, runs)| {
                    // Some touch, some are of no length.
                    let begin = edges[lane] + (gap - 2000).max(0);
                    let end = begin + (long - 500).max(0);
                    edges[lane] = end;
                    Item {
                        lane,
                        begin: at(begin),
                        end: at(end),
                        height,
                        runs,
                    }
                })
                .collect();
            items.sort_by_key(|item| (item.begin, item.end));
            items
        })
    }

    proptest! {
        #[test]
        fn nothing_overlaps_order_is_kept_and_every_text_has_room(
            items in items(), from in 0_i64..3000
        ) {
            let to = items.iter().map(|item| item.end).max().unwrap_or(at(0)).max(at(from));
            let rows = lay_out(&items, 4, (at(from), to));
            let mut covered = vec![[0_u32; 4]; rows.len()];
            let mut seen: Vec<Vec<usize>> = vec![Vec::new(); 4];
            for (top, row) in rows.iter().enumerate() {
                prop_assert!((1..=6).contains(&row.height));
                prop_assert!(row.cells.is_sorted_by_key(|cell| cell.lane));
                for cell in &row.cells {
                    prop_assert!(cell.rows > 0);
                    for covered in &mut covered[top..top + cell.rows] {
                        covered[cell.lane] += 1;
                    }
                    if let Some(item) = cell.item {
                        seen[cell.lane].push(item);
                        let own = &rows[top..top + cell.rows];
                        let pixels: u32 = own.iter().map(|row| u32::from(row.height) * 4).sum();
                        prop_assert!(pixels >= items[item].height);
                    }
                }
            }
            prop_assert!(covered.iter().flatten().all(|times| *times == 1));
            // From the top, boxes are newer; none is lost but those before the beginning.
            for (lane, seen) in seen.iter().enumerate() {
                let expected: Vec<_> = (0..items.len())
                    .rev()
                    .filter(|&n| items[n].lane == lane && items[n].end >= at(from))
                    .collect();
                prop_assert_eq!(seen, &expected);
            }
        }

        #[test]
        fn the_table_grows_with_the_boxes_and_not_with_the_time(items in items()) {
            let to = items.iter().map(|item| item.end).max().unwrap_or(at(0));
            let rows = lay_out(&items, 4, (at(0), to));
            // Each box has two boundaries at most; by time alone an interval has ten rows.
            let needed: usize = items.iter().map(|item| item.height as usize / 24 + 1).sum();
            prop_assert!(rows.len() <= (items.len() * 2 + 1) * 10 + needed);
            let cells: usize = rows.iter().map(|row| row.cells.len()).sum();
            prop_assert!(cells <= items.len() * 2 + 4);
        }
    }
}
