//! The time zone of the machine (NIG-10).

use std::path::Path;

use crate::config::MachineZone;
use crate::model::Zone;

/// The directory of the tz database in paths that name a zone.
const DATABASE: &str = "zoneinfo/";

/// The time zone of the machine: the environment variable `TZ`, or else the setting of the system.
pub fn machine_zone() -> MachineZone {
    match std::env::var_os("TZ") {
        Some(value) => of_variable(&value.to_string_lossy()),
        None => of_system(),
    }
}

/// The zone that `TZ` names. Explicit rules such as `CET-1CEST,M3.5.0,M10.5.0/3` have no name.
fn of_variable(value: &str) -> MachineZone {
    let name = value.strip_prefix(':').unwrap_or(value);
    if name.is_empty() {
        return Ok(Zone::UTC);
    }
    let in_database = name.rsplit_once(DATABASE).map(|(_, name)| name);
    Zone::named(in_database.unwrap_or(name)).ok_or_else(|| {
        format!("the environment variable TZ is {value:?}, which is not the name of a time zone")
    })
}

fn of_system() -> MachineZone {
    match iana_time_zone::get_timezone() {
        Ok(name) => Zone::named(&name)
            .ok_or_else(|| format!("the time zone {name:?} of this machine is unknown")),
        // A machine without a setting uses universal time.
        Err(_) if !Path::new("/etc/localtime").exists() => Ok(Zone::UTC),
        Err(error) => Err(format!(
            "cannot determine the time zone of this machine: {error}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_names_a_zone_in_several_ways() {
        let berlin = Zone::named("Europe/Berlin");
        for value in [
            "Europe/Berlin",
            ":Europe/Berlin",
            "/usr/share/zoneinfo/Europe/Berlin",
            ":/usr/share/zoneinfo/Europe/Berlin",
        ] {
            assert_eq!(of_variable(value).ok(), berlin, "{value}");
        }
        assert_eq!(of_variable(""), Ok(Zone::UTC));
        assert_eq!(of_variable(":"), Ok(Zone::UTC));
        let error = of_variable("CET-1CEST,M3.5.0,M10.5.0/3").expect_err("it has no name");
        assert!(error.contains("TZ is \"CET-1CEST"), "{error}");
    }
}
