//! Facts about transfers of files between the master and its slaves.

use serde::Serialize;

/// Default number of bytes that a slave sends or asks for at once. Buildbot's masters say 16 KiB,
/// with 15 times as many messages, and 256 KiB for `FileUpload` since Buildbot 4. Slaves of Twisted
/// write 128 KiB at a time: a block of a multiple of that leaves a few bytes, which wait 40 ms for
/// the acknowledgement of those before them. A larger block would need room of its own in the
/// budget of the slave's messages.
pub const BLOCK_BYTES: u32 = 240 * 1024;

/// Most bytes of a block: strings on the wire are limited to 640 KiB.
pub const MAX_BLOCK_BYTES: u32 = 512 * 1024;

/// How an archive of a directory is compressed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip.
    Gz,
    /// bzip2.
    Bz2,
}

impl Compression {
    /// The word for it on the wire; absent without compression.
    #[must_use]
    pub const fn word(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Gz => Some("gz"),
            Self::Bz2 => Some("bz2"),
        }
    }

    /// The compression with this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        let mut known = [Self::Gz, Self::Bz2].into_iter();
        known.find(|known| known.word() == Some(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressions_have_the_words_of_buildbot() {
        assert_eq!(Compression::from_word("gz"), Some(Compression::Gz));
        assert_eq!(Compression::from_word("bz2"), Some(Compression::Bz2));
        assert_eq!(Compression::from_word("xz"), None);
        assert_eq!(Compression::None.word(), None);
    }
}
