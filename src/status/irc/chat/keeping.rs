//! What channels have asked for, as it is kept for the next start of the master (IRC-02).

use std::collections::BTreeSet;

use super::Chat;
use crate::model::{BuildId, ChannelWishes};

impl Chat {
    /// What a channel has asked for; absent if it has asked for nothing.
    pub(in crate::status::irc) fn wishes(&self, channel: &str) -> Option<ChannelWishes> {
        let place = self.places.get(&self.case.folded(channel))?;
        Some(ChannelWishes {
            events: place.events.clone(),
            is_muted: place.is_muted,
            watched: place.watched.clone(),
        })
    }

    /// The channels that watch a build, with all that they have asked for.
    pub(in crate::status::irc) fn watchers(&self, build: BuildId) -> Vec<(String, ChannelWishes)> {
        let places = self.places.values();
        let channels = places.filter(|place| place.watched.contains(&build) && place.is_channel());
        let asked = channels.map(|place| Some((place.name.clone(), self.wishes(&place.name)?)));
        asked.flatten().collect()
    }

    /// Takes up what the channels had asked for before the master was started. Gives the builds
    /// that they watched. Only channels of the configuration count.
    pub(in crate::status::irc) fn restore(
        &mut self,
        known: Vec<(String, ChannelWishes)>,
    ) -> BTreeSet<BuildId> {
        let mut watched = BTreeSet::new();
        for (channel, wishes) in known {
            if let Some(place) = self.places.get_mut(&channel) {
                watched.extend(&wishes.watched);
                place.events = wishes.events;
                place.is_muted = wishes.is_muted;
                place.watched = wishes.watched;
            }
        }
        watched
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;
    use crate::model::NotifyEvent;

    #[test]
    fn irc_02_what_channels_asked_for_is_taken_up_again() {
        let mut chat = Chat::new(Settings {
            channels: vec!["#dev".to_owned()],
            ..Settings::default()
        });
        let wishes = ChannelWishes {
            events: [NotifyEvent::Started].into(),
            is_muted: true,
            watched: [BuildId(7)].into(),
        };
        let known = vec![
            ("#dev".to_owned(), wishes.clone()),
            ("#gone".to_owned(), wishes.clone()),
        ];
        assert_eq!(chat.restore(known), [BuildId(7)].into());
        assert_eq!(chat.wishes("#DEV"), Some(wishes.clone()));
        assert_eq!(chat.wishes("#gone"), None, "it is not in the configuration");
        assert_eq!(chat.watchers(BuildId(7)), [("#dev".to_owned(), wishes)]);
    }
}
