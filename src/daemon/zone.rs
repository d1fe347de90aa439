//! The machine's time zone (NIG-10).

use std::path::Path;

use crate::config::MachineZone;
use crate::model::Zone;

/// Where the tz database is, in paths that name a zone.
const DATABASE: &str = "zoneinfo/";

/// The machine's time zone: that of the environment variable `TZ`, or else of the system.
pub fn machine_zone() -> MachineZone {
    match std::env::var_os("TZ") {
        Some(said) => of_variable(&said.to_string_lossy()),
        None => of_system(),
    }
}

/// The zone that `TZ` names. Rules that are spelled out, such as `CET-1CEST,M3.5.0,M10.5.0/3`, have
/// no name.
fn of_variable(said: &str) -> MachineZone {
    let name = said.strip_prefix(':').unwrap_or(said);
    if name.is_empty() {
        return Ok(Zone::UTC);
    }
    let in_database = name.rsplit_once(DATABASE).map(|(_, name)| name);
    Zone::named(in_database.unwrap_or(name)).ok_or_else(|| {
        format!("the environment variable TZ is {said:?}, which is not the name of a time zone")
    })
}

fn of_system() -> MachineZone {
    match iana_time_zone::get_timezone() {
        Ok(name) => Zone::named(&name)
            .ok_or_else(|| format!("the machine's own is {name:?}, which is unknown here")),
        // A machine that was never told is on universal time.
        Err(_) if !Path::new("/etc/localtime").exists() => Ok(Zone::UTC),
        Err(error) => Err(format!("the machine's own cannot be told ({error})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_names_a_zone_in_several_ways() {
        let berlin = Zone::named("Europe/Berlin");
        for said in [
            "Europe/Berlin",
            ":Europe/Berlin",
            "/usr/share/zoneinfo/Europe/Berlin",
            ":/usr/share/zoneinfo/Europe/Berlin",
        ] {
            assert_eq!(of_variable(said).ok(), berlin, "{said}");
        }
        assert_eq!(of_variable(""), Ok(Zone::UTC));
        assert_eq!(of_variable(":"), Ok(Zone::UTC));
        let error = of_variable("CET-1CEST,M3.5.0,M10.5.0/3").expect_err("it has no name");
        assert!(error.contains("TZ is \"CET-1CEST"), "{error}");
    }
}
