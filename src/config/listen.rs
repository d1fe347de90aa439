//! Reading addresses to listen on: numbers, strings or a list of them.

use super::address::{Listen, loopback, parse};
use super::needs::Needed;
use super::reader::Value;
use super::trace::Wanted;

impl Value<'_> {
    /// The addresses that it names: one setting, or a list of them.
    pub(super) fn listen(&self) -> Option<Vec<Listen>> {
        let mut all: Vec<Listen> = Vec::new();
        for entry in self.one_or_list()? {
            let listens = entry.listen_one()?;
            if let Some(twice) = listens.iter().find(|l| all.iter().any(|a| l.overlaps(a))) {
                entry.error(&format!("has {twice} twice"), "remove one of the two");
            }
            all.extend(listens);
        }
        if all.is_empty() {
            self.error("has no address", "leave it out if nothing is to connect");
        }
        self.needs(Needed::Ports(all.clone()));
        Some(all)
    }

    fn listen_one(&self) -> Option<Vec<Listen>> {
        if self.among([Wanted::Integer, Wanted::Text]).is_integer() {
            return Some(loopback(self.integer(0..=u16::MAX)?));
        }
        if !self.data().is_str() {
            return self.expected("a port", HELP);
        }
        let text = self.text()?;
        let parsed = parse(text);
        if parsed.is_none() {
            self.error("is not an address to listen on", HELP);
        }
        parsed
    }
}

const HELP: &str = "a port such as 9989 (loopback only), \"0.0.0.0:9989\" or \"[::]:9989\" to open it to \
                    others, \"tcp:9989:interface=ADDRESS\", or \"unix:/path\"";
