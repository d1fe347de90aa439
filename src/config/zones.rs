//! Time zones, and what somebody meant who wrote an offset or an abbreviation instead of a name.

use serde::Serializer;

use super::reader::{Table, Value};
use super::spelling;
use crate::model::Zone;

/// The time zone of the machine, or why it cannot be told.
pub type MachineZone = Result<Zone, String>;

/// Reads the name of a time zone.
pub(super) fn read_zone(value: &Value<'_>) -> Option<Zone> {
    let name = value.text()?;
    let zone = Zone::named(name);
    if zone.is_none() {
        let near = || spelling::nearest(name, Zone::names());
        let help = match meant(name) {
            Some(help) => help,
            None => match near() {
                Some(near) => format!("did you mean `{near}`?"),
                None => "a name such as \"Europe/Berlin\" or \"UTC\"".to_owned(),
            },
        };
        let what = format!("`{}` is not the name of a time zone", name.escape_debug());
        value.error(&what, help);
    }
    zone
}

/// The time zone of the machine, for a table that names none.
pub(super) fn machine_zone(table: &Table<'_>, zone: &MachineZone) -> Option<Zone> {
    match zone {
        Ok(zone) => Some(*zone),
        Err(why) => {
            let message = format!("{} needs `time_zone`", table.label);
            let help = format!("add one, such as `time_zone = \"Europe/Berlin\"`: {why}");
            table.sink.missing(table.span.clone(), message, help);
            None
        }
    }
}

/// Writes the name of a zone.
pub(super) fn zone_name<S: Serializer>(zone: &Zone, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(zone.name())
}

/// What to write instead of `name`, if it is an offset such as `GMT+1` or an abbreviation such as
/// `CEST`.
fn meant(name: &str) -> Option<String> {
    let upper = name.trim().to_uppercase();
    if let Some((_, city)) = ABBREVIATIONS.iter().find(|(short, _)| *short == upper) {
        return Some(format!(
            "an abbreviation does not say when clocks change: name a city, such as \"{city}\""
        ));
    }
    let offset = ["UTC", "GMT", "Z", ""]
        .iter()
        .find_map(|prefix| upper.strip_prefix(prefix).and_then(offset_minutes))?;
    Some(instead_of(offset))
}

/// Minutes ahead of universal time: `+1`, `-05`, `+05:30`, `+0530`.
fn offset_minutes(text: &str) -> Option<i32> {
    let text = text.trim();
    let sign = match text.chars().next()? {
        '+' => 1,
        '-' | '\u{2212}' => -1,
        _ => return None,
    };
    let digits: String = text.chars().skip(1).collect();
    let (hours, minutes) = match digits.split_once(':') {
        Some((hours, minutes)) => (hours.to_owned(), minutes.to_owned()),
        None if digits.len() == 4 => {
            let (hours, minutes) = digits.split_at_checked(2)?;
            (hours.to_owned(), minutes.to_owned())
        }
        None => (digits, "0".to_owned()),
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(&hours) || !is_number(&minutes) {
        return None;
    }
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours <= 15 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

fn instead_of(offset: i32) -> String {
    let hours = offset / 60;
    // The names of the tz database count hours west of Greenwich, as POSIX does.
    let fixed = format!("Etc/GMT{:+}", -hours);
    if offset % 60 != 0 || Zone::named(&fixed).is_none() {
        return "no fixed zone has this offset: name a city, such as \"Asia/Kolkata\"".to_owned();
    }
    if hours == 0 {
        return "write \"UTC\"; a city, such as \"Europe/London\", has summer time too".to_owned();
    }
    let side = if hours > 0 { "ahead of" } else { "behind" };
    format!(
        "{} h {side} UTC all year is \"{fixed}\": the sign in these names counts hours west of Greenwich. A city, such as \
         \"Europe/Berlin\", has summer time too",
        hours.abs()
    )
}

/// Abbreviations that are not names of zones, and a city that uses each.
const ABBREVIATIONS: [(&str, &str); 21] = [
    ("ACST", "Australia/Adelaide"),
    ("AEDT", "Australia/Sydney"),
    ("AEST", "Australia/Sydney"),
    ("AKST", "America/Anchorage"),
    ("AWST", "Australia/Perth"),
    ("BRT", "America/Sao_Paulo"),
    ("BST", "Europe/London"),
    ("CDT", "America/Chicago"),
    ("CEST", "Europe/Berlin"),
    ("CST", "America/Chicago"),
    ("EDT", "America/New_York"),
    ("EEST", "Europe/Helsinki"),
    ("IST", "Asia/Kolkata"),
    ("JST", "Asia/Tokyo"),
    ("KST", "Asia/Seoul"),
    ("MDT", "America/Denver"),
    ("MESZ", "Europe/Berlin"),
    ("MEZ", "Europe/Berlin"),
    ("MSK", "Europe/Moscow"),
    ("PDT", "America/Los_Angeles"),
    ("PST", "America/Los_Angeles"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_answered_with_the_zone_that_has_them() {
        for (name, zone) in [
            ("GMT+1", "1 h ahead of UTC all year is \"Etc/GMT-1\""),
            ("UTC+2", "2 h ahead of UTC all year is \"Etc/GMT-2\""),
            ("utc-05:00", "5 h behind UTC all year is \"Etc/GMT+5\""),
            ("+14", "\"Etc/GMT-14\""),
            ("GMT+0100", "\"Etc/GMT-1\""),
            ("+05:30", "Asia/Kolkata"),
            ("UTC-14", "no fixed zone"),
            ("Z+0", "write \"UTC\""),
            ("CEST", "Europe/Berlin"),
            ("pst", "America/Los_Angeles"),
        ] {
            let told = meant(name).unwrap_or_default();
            assert!(told.contains(zone), "{name}: {told}");
        }
        for name in ["Europe/Berlni", "GMT+x", "UTC", "+", "+99", "-1h"] {
            assert_eq!(meant(name), None, "{name}");
        }
        for (short, city) in ABBREVIATIONS {
            assert!(
                Zone::named(city).is_some() && Zone::named(short).is_none(),
                "{short}"
            );
        }
    }
}
