//! Names of steps within a build (BUI-04), and of their logs' files. Pure.

use std::collections::{HashMap, HashSet};

/// The names of the steps of a build, each once: equal names get `_1`, `_2` …, and a name that is already taken is
/// passed over.
#[must_use]
pub fn unique_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut taken = HashSet::new();
    let mut counts = HashMap::new();
    let mut unique = Vec::new();
    for name in names {
        let mut candidate = name.to_owned();
        while !taken.insert(candidate.clone()) {
            let count = counts.entry(name).or_insert(0_u32);
            *count += 1;
            candidate = format!("{name}_{count}");
        }
        unique.push(candidate);
    }
    unique
}

/// A name of a file or directory for the step or log `name`: letters, digits, `-`, `_` and inner dots stay, every other
/// byte becomes `%XX`, so that different names have different files; long names are cut and told apart by a hash.
pub(super) fn file_name(name: &str) -> String {
    let mut file = String::with_capacity(name.len());
    for (at, byte) in name.bytes().enumerate() {
        let stays =
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || (byte == b'.' && at > 0);
        if stays {
            file.push(char::from(byte));
        } else {
            file.push_str(&format!("%{byte:02X}"));
        }
    }
    if file.len() > MAX_FILE_NAME {
        file.truncate(MAX_FILE_NAME - 17);
        file.push_str(&format!("%{:016x}", fnv(name)));
    }
    file
}

/// Longest name of a file, which leaves room for suffixes and an index within the 255 bytes of common file systems.
const MAX_FILE_NAME: usize = 200;

/// The FNV-1a hash; it only has to tell names apart and to be the same always.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_after_steps_and_logs() {
        for (name, file) in [
            ("stdio", "stdio"),
            ("err.text", "err.text"),
            ("make all", "make%20all"),
            ("../etc", "%2E.%2Fetc"),
            (".", "%2E"),
            ("é%", "%C3%A9%25"),
        ] {
            assert_eq!(file_name(name), file);
        }
        let long = |end: &str| file_name(&format!("{}{end}", "x".repeat(300)));
        assert_eq!(file_name(&"x".repeat(200)).len(), 200);
        assert_eq!(file_name(&"x".repeat(201)).len(), 200);
        assert_ne!(long("a"), long("b"));
    }

    #[test]
    fn equal_names_get_numbers() {
        assert_eq!(unique_names(["a", "a", "a"]), ["a", "a_1", "a_2"]);
        assert_eq!(unique_names(["a", "b", "a"]), ["a", "b", "a_1"]);
    }

    #[test]
    fn a_configured_name_that_looks_numbered_is_not_taken_twice() {
        assert_eq!(unique_names(["a", "a", "a_1"]), ["a", "a_1", "a_1_1"]);
        assert_eq!(unique_names(["a_1", "a", "a"]), ["a_1", "a", "a_2"]);
    }
}
