//! File names for steps, logs and builders, whose names are anybody's text.

use std::fmt::Write;

/// A file name for a name: different names have different file names, and no name can be a path,
/// a hidden file, or longer than the file system takes.
///
/// Letters, digits and `_ - . + , = @` of ASCII stay; all other bytes, and a dot at the beginning,
/// become `%` and two hexadecimal digits; nothing at all becomes `%`. What is longer than 110 bytes
/// then is cut, and gets a mark that depends on the whole name.
#[must_use]
pub fn file_name(name: &str) -> String {
    if name.is_empty() {
        return "%".to_owned();
    }
    let mut out = String::with_capacity(name.len());
    for (i, byte) in name.bytes().enumerate() {
        let stays =
            byte.is_ascii_alphanumeric() || b"_-+,=@".contains(&byte) || (byte == b'.' && i > 0);
        if stays {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("writing to a string cannot fail");
        }
    }
    if out.len() > LONGEST {
        // `%` is followed by a digit or nothing in all other names, so that no other name ends so.
        out.truncate(LONGEST - MARK);
        write!(out, "%~{:016x}", fnv(name)).expect("writing to a string cannot fail");
    }
    out
}

/// The FNV-1a hash: stable over versions, since paths with it are remembered.
fn fnv(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The names of a step and of its log, with a number and a suffix, are below the 255 bytes that
/// file systems take.
const LONGEST: usize = 110;
/// `%~` and 16 digits.
const MARK: usize = 18;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordinary_names_stay_and_others_cannot_leave_the_directory() {
        let long = "x".repeat(LONGEST);
        for (name, expected) in [
            ("stdio", "stdio"),
            ("config.log", "config.log"),
            ("compile_1", "compile_1"),
            ("", "%"),
            (".", "%2E"),
            ("..", "%2E."),
            ("../x", "%2E.%2Fx"),
            ("/", "%2F"),
            ("a/b", "a%2Fb"),
            ("a\0b", "a%00b"),
            ("100%", "100%25"),
            ("run tests", "run%20tests"),
            ("grün", "gr%C3%BCn"),
            (&long, &long),
        ] {
            assert_eq!(file_name(name), expected, "{name:?}");
        }
    }

    #[test]
    fn long_names_are_cut_and_stay_different() {
        let names: BTreeSet<_> = (LONGEST + 1..400)
            .map(|n| file_name(&"x".repeat(n)))
            .collect();
        assert_eq!(names.len(), 400 - LONGEST - 1);
        assert!(names.iter().all(|name| name.len() == LONGEST));
        assert_eq!(
            file_name(&"x".repeat(121)),
            format!("{}%~d77cbbf2c7cf1f67", "x".repeat(92)),
        );
    }

    proptest! {
        #[test]
        fn any_name_is_one_plain_component(name in any::<String>()) {
            let file = file_name(&name);
            let components: Vec<_> = Path::new(&file).components().collect();
            prop_assert!(matches!(components[..], [Component::Normal(c)] if c == file.as_str()));
            prop_assert!(file.len() <= LONGEST && !file.starts_with('.'));
        }

        #[test]
        fn different_names_have_different_files(a in "[a%2E./ ~F]{0,6}", b in "[a%2E./ ~F]{0,6}") {
            prop_assert_eq!(file_name(&a) == file_name(&b), a == b);
        }
    }
}
