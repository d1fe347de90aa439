//! The formats of reports of tests.

use serde::Serialize;

/// The format of a report (TST-05).
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TestFormat {
    /// XML, as JUnit and many others write it.
    Junit,
    /// The Test Anything Protocol, versions 12 to 14.
    Tap,
    /// What Perl's `prove` prints.
    Prove,
    /// Subunit, version 1: lines.
    Subunit1,
    /// Subunit, version 2: packets.
    Subunit2,
    /// GoogleTest.
    Gtest,
    /// `go test -json`.
    Go,
    /// `cargo test`.
    Libtest,
    /// `cargo nextest`.
    Nextest,
    /// pytest.
    Pytest,
    /// CMake's `ctest`.
    Ctest,
    /// LLVM's `lit`.
    Lit,
    /// Twisted's `trial`.
    Trial,
    /// A JSON object a line, as commands of the configuration write.
    Own,
}

impl TestFormat {
    /// The formats with their names in the configuration.
    pub const ALL: [(&'static str, Self); 13] = [
        ("ctest", Self::Ctest),
        ("go", Self::Go),
        ("gtest", Self::Gtest),
        ("junit", Self::Junit),
        ("libtest", Self::Libtest),
        ("lit", Self::Lit),
        ("nextest", Self::Nextest),
        ("prove", Self::Prove),
        ("pytest", Self::Pytest),
        ("subunit1", Self::Subunit1),
        ("subunit2", Self::Subunit2),
        ("tap", Self::Tap),
        ("trial", Self::Trial),
    ];

    /// The format of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find_map(|(known, format)| (known == name).then_some(format))
    }
}
