//! `[[duty]]`: who is on duty, in turns (ESC-10).

use std::time::Duration;

use serde::Serialize;

use super::names::Names;
use super::reader::{Table, Value};
use super::shape::Shape;
use super::zones::{MachineZone, machine_zone, read_zone, zone_name};
use crate::model::Zone;

/// People who are on duty in turns.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rota {
    /// Its name.
    pub name: String,
    /// The names of the people, in the order of their turns. There is at least one.
    pub people: Vec<String>,
    /// How long a turn is: a week.
    pub turn: Duration,
    /// When turns begin, in time since the Monday of a local week began: 09:00 on Monday.
    pub starts: Duration,
    /// The zone of that time; without the key, that of the machine.
    #[serde(rename = "time_zone", serialize_with = "zone_name")]
    pub zone: Zone,
}

pub(super) static SHAPE: Shape = Shape {
    place: "duty",
    noun: "rota",
    keys: &["name", "people", "turn", "starts", "time_zone"],
    kinds: Vec::new,
};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// The days of the week, as `starts` spells them.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Reads all rotas.
pub(super) fn read(root: &mut Table<'_>, zone: &MachineZone) -> Vec<Rota> {
    let mut names = Names::new("rota");
    let tables = root.take("duty").map(|value| value.tables(&SHAPE));
    let tables = tables.into_iter().flatten();
    tables
        .filter_map(|mut table| {
            let name = names.declare(&mut table).map(|(name, _)| name.to_owned());
            let rota = read_rota(&mut table, name.unwrap_or_default(), zone);
            table.finish();
            rota
        })
        .collect()
}

fn read_rota(table: &mut Table<'_>, name: String, machine: &MachineZone) -> Option<Rota> {
    let people = table.require("people", "[\"ann\", \"bob\"]").map(|value| {
        let entries = value.one_or_list().unwrap_or_default();
        if entries.is_empty() {
            value.error("has nobody", "name at least one person");
        }
        let names = entries.iter().filter_map(Value::name);
        names.map(str::to_owned).collect::<Vec<_>>()
    });
    let (mut turn, mut starts) = (WEEK, 9 * HOUR);
    table.set("turn", &mut turn, |v| v.duration(HOUR..=52 * WEEK));
    table.set("starts", &mut starts, read_start);
    let zone = match table.take("time_zone") {
        Some(value) => read_zone(&value),
        None => machine_zone(table, machine),
    };
    Some(Rota {
        name,
        people: people.filter(|people| !people.is_empty())?,
        turn,
        starts,
        zone: zone?,
    })
}

/// Reads `mon 09:00`, or `09:00`, which is that of Monday.
fn read_start(value: &Value<'_>) -> Option<Duration> {
    let text = value.text()?;
    let start = parse_start(text);
    if start.is_none() {
        value.error(
            "is not a time of the week",
            "write a day and a time, for example `\"mon 09:00\"`",
        );
    }
    start
}

fn parse_start(text: &str) -> Option<Duration> {
    let (day, time) = text.trim().split_once(' ').unwrap_or(("mon", text));
    let day = day.to_lowercase();
    let day = DAYS.iter().position(|known| *known == day)?;
    let (hour, minute) = time.trim().split_once(':')?;
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    let day = u32::try_from(day).ok()?;
    (hour < 24 && minute < 60).then(|| day * DAY + hour * HOUR + minute * HOUR / 60)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::config::parse;

    const CONFIG: &str = "[[duty]]\nname = \"sheriff\"\n";

    fn read(rota: &str, zone: &MachineZone) -> Result<Vec<Rota>, String> {
        let text = format!("{CONFIG}{rota}");
        let read = parse(&text, "master.toml", zone);
        read.map(|(config, _)| config.duty).map_err(|errors| {
            let messages = errors.errors.iter();
            let messages = messages.map(|error| error.message.clone());
            messages.collect::<Vec<_>>().join("\n")
        })
    }

    #[test]
    fn esc_10_a_rota_has_people_turns_and_a_start() {
        let utc = Ok(Zone::UTC);
        let rota = |rest: &str| {
            let text = format!("people = [\"ann\", \"bob\"]\n{rest}");
            read(&text, &utc).unwrap().remove(0)
        };
        let plain = rota("");
        assert_eq!((plain.turn, plain.starts), (WEEK, 9 * HOUR));
        let other = rota("turn = \"1d\"\nstarts = \"Thu 17:30\"\ntime_zone = \"Europe/Berlin\"");
        assert_eq!(
            (other.turn, other.starts),
            (DAY, 3 * DAY + 17 * HOUR + HOUR / 2)
        );
        assert_eq!(other.zone, Zone::named("Europe/Berlin").unwrap());
        assert_eq!(rota("starts = \"08:15\"").starts, 8 * HOUR + HOUR / 4);
    }

    #[test]
    fn esc_10_mistakes_in_a_rota_are_told() {
        let utc = Ok(Zone::UTC);
        let mistake = |rest: &str| read(rest, &utc).unwrap_err();
        assert!(mistake("").contains("needs `people`"));
        assert!(mistake("people = []").contains("has nobody"));
        for start in ["monday", "mon", "mon 24:00", "mon 9:60", "day 09:00"] {
            let text = format!("people = \"ann\"\nstarts = \"{start}\"");
            assert!(
                mistake(&text).contains("is not a time of the week"),
                "{start}"
            );
        }
        let odd = read("people = \"ann\"", &Err("TZ is odd".to_owned()));
        assert!(odd.unwrap_err().contains("needs `time_zone`"));
    }
}
