//! Letters as packets of Buildbot 0.8, the body of a form (PSH-05).

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value as Json, json};

use super::objects::Told;
use super::turns::Failure;
use crate::config::{Config, HttpStatusPushConfig};
use crate::model::{LetterId, Timestamp, Zone};
use crate::store::State;
use crate::view::old_json::{self, Surroundings, without_empty};

/// The kind of the body.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// The body that tells of the ends of builds.
///
/// # Errors
/// The state cannot be read.
pub(super) fn body(
    state: &State,
    (config, target): (&Config, &HttpStatusPushConfig),
    builds: &[Told],
    (letter, at): (LetterId, Timestamp),
) -> Result<String, Failure> {
    let around = Surroundings {
        state,
        base: &config.buildbot_url,
        zone: Zone::UTC,
    };
    let mut packets = Vec::new();
    for told in builds {
        let build = old_json::build(around, &told.build);
        let build = build.map_err(|error| Failure::Later(error.to_string()))?;
        packets.push(packet(build, target.filter, &config.title, (letter, at)));
    }
    let mut body = field("packets", &Json::from(packets).to_string());
    for (name, value) in &target.extra_post_params {
        body.push('&');
        body.push_str(&field(name, value));
    }
    Ok(body)
}

/// A packet about the end of a build.
fn packet(build: Json, filter: bool, title: &str, (letter, at): (LetterId, Timestamp)) -> Json {
    let build = if filter { without_empty(build) } else { build };
    json!({
        "id": letter,
        "timestamp": in_words(at),
        "project": title,
        "event": "buildFinished",
        "payload": { "build": build },
    })
}

/// `2026-11-28 10:40:00.123456`, in UTC, as Python prints a time.
fn in_words(at: Timestamp) -> String {
    at.to_rfc3339()
        .replace('T', " ")
        .trim_end_matches('Z')
        .to_owned()
}

fn field(name: &str, value: &str) -> String {
    let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
    format!("{}={}", encoded(name), encoded(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn psh_05_a_packet_has_the_fields_of_buildbot_without_what_says_nothing() {
        let build = json!({ "builderName": "full", "eta": null, "results": 0, "logs": [] });
        let at = Timestamp::from_secs(1_000_000);
        let packet = packet(build, true, "Widget", (LetterId(7), at));
        let expected = json!({
            "id": 7,
            "timestamp": "1970-01-12 13:46:40.000",
            "project": "Widget",
            "event": "buildFinished",
            "payload": { "build": { "builderName": "full", "results": 0 } },
        });
        assert_eq!(packet, expected);
        assert_eq!(field("a b", "ü&="), "a%20b=%C3%BC%26%3D");
    }
}
