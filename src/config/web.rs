//! The web pages: where they are served, and how much they show.

use serde::Serialize;

use super::address::{self, Listen};
use super::reader::Value;
use super::shape::Shape;

/// The web pages. Without this table, the master serves none.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct WebConfig {
    /// Where to listen; a port without an address is loopback of IPv4 and IPv6.
    #[serde(serialize_with = "address::texts")]
    pub port: Vec<Listen>,
    /// Builds in a list, if the address of the page does not say: 20.
    pub num_builds: u32,
}

pub(super) static SHAPE: Shape = Shape {
    place: "web",
    noun: "web",
    keys: &["port", "num_builds"],
    kinds: Vec::new,
};

impl Default for WebConfig {
    fn default() -> Self {
        Self {
            port: Vec::new(),
            num_builds: 20,
        }
    }
}

impl WebConfig {
    /// Takes what the table has; `slave_port` belongs to the slaves.
    pub(super) fn read(value: &Value<'_>, slave_port: &[Listen]) -> Option<Self> {
        let mut table = value.table(&SHAPE)?;
        let mut web = Self::default();
        match table.take("port") {
            Some(port) => {
                web.port = port.listen().unwrap_or_default();
                let is_taken = |l: &Listen| slave_port.iter().any(|other| l.overlaps(other));
                if web.port.iter().any(is_taken) {
                    port.error("is the slave port", "give the pages a port of their own");
                }
            }
            None => {
                let message = "the web pages need a port".to_owned();
                let help = "add `port = 8010` to the table `[web]`, or remove the table";
                table.sink.missing(table.span.clone(), message, help);
            }
        }
        table.set("num_builds", &mut web.num_builds, |v| {
            v.integer(1..=MOST_BUILDS)
        });
        table.finish();
        Some(web)
    }
}

/// Maximum number of builds in a list.
pub const MOST_BUILDS: u32 = 1000;
