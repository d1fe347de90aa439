//! The text forms of the fields of a calendar, as cron has them (SCH-98).

use std::ops::RangeInclusive;

/// The numbers that `text` stands for: several parts with commas between them, each `*`, a number
/// or name, or a range `from-to`, each with or without `/step`. `names` stand for the numbers from
/// the least on; their first three letters are enough, and their case does not matter.
///
/// # Errors
/// A sentence that says which part is wrong, and why.
pub(super) fn numbers(
    text: &str,
    names: &[&str],
    all: &RangeInclusive<u32>,
) -> Result<Vec<u32>, String> {
    let mut found = Vec::new();
    for part in text.split(',') {
        let part = part.trim();
        found.extend(of_part(part, names, all)?);
    }
    Ok(found)
}

fn of_part(
    part: &str,
    names: &[&str],
    all: &RangeInclusive<u32>,
) -> Result<impl Iterator<Item = u32> + use<>, String> {
    let shown = part.escape_debug();
    let (range, step) = match part.split_once('/') {
        None => (part, None),
        Some((range, step)) => match step.trim().parse::<usize>() {
            Ok(step) if step > 0 => (range.trim(), Some(step)),
            Ok(_) | Err(_) => return Err(format!("the step of `{shown}` is not a number above 0")),
        },
    };
    let number = |text: &str| {
        one(text.trim(), names, *all.start())
            .filter(|number| all.contains(number))
            .ok_or_else(|| format!("`{}` is none of its values", text.trim().escape_debug()))
    };
    let (from, to) = match range.split_once('-') {
        _ if range == "*" => (*all.start(), *all.end()),
        Some((from, to)) => (number(from)?, number(to)?),
        // As cron has it, `5/15` is every 15 from 5 on.
        None if step.is_some() => (number(range)?, *all.end()),
        None => (number(range)?, number(range)?),
    };
    if from > to {
        return Err(format!("`{shown}` ends before it begins"));
    }
    Ok((from..=to).step_by(step.unwrap_or(1)))
}

fn one(text: &str, names: &[&str], least: u32) -> Option<u32> {
    let lower = text.to_ascii_lowercase();
    let named = || {
        let is_meant = |name: &&str| *name == lower || name.get(..3) == Some(&lower);
        (least..)
            .zip(names)
            .find_map(|(number, name)| is_meant(name).then_some(number))
    };
    lower.parse().ok().or_else(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAYS: [&str; 7] = [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ];

    fn days(text: &str) -> Result<Vec<u32>, String> {
        numbers(text, &DAYS, &(0..=6))
    }

    fn minutes(text: &str) -> Result<Vec<u32>, String> {
        numbers(text, &[], &(0..=59))
    }

    #[test]
    fn sch_98_steps_ranges_and_lists() {
        assert_eq!(minutes("*/15"), Ok(vec![0, 15, 30, 45]));
        assert_eq!(minutes("50/4"), Ok(vec![50, 54, 58]));
        assert_eq!(
            minutes("1, 10-12,40-50/5"),
            Ok(vec![1, 10, 11, 12, 40, 45, 50])
        );
        assert_eq!(numbers("*/5", &[], &(1..=12)), Ok(vec![1, 6, 11]));
    }

    #[test]
    fn sch_98_names() {
        assert_eq!(days("Mon-Fri"), Ok(vec![0, 1, 2, 3, 4]));
        assert_eq!(days("saturday,SUN"), Ok(vec![5, 6]));
        assert_eq!(days("2"), Ok(vec![2]));
    }

    #[test]
    fn sch_98_mistakes_are_named() {
        assert_eq!(minutes("60"), Err("`60` is none of its values".to_owned()));
        assert_eq!(days("mo"), Err("`mo` is none of its values".to_owned()));
        assert_eq!(minutes(""), Err("`` is none of its values".to_owned()));
        assert_eq!(minutes("1-"), Err("`` is none of its values".to_owned()));
        let step = "the step of `*/0` is not a number above 0";
        assert_eq!(minutes("*/0"), Err(step.to_owned()));
        assert_eq!(
            days("fri-mon"),
            Err("`fri-mon` ends before it begins".to_owned())
        );
    }
}
