#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

/// As the programs of Apache and OpenSSL write them.
const HASHES: [&str; 6] = [
    "$2y$04$T5CeOeC01jALk2qXVZXGbuf/nP9moagDVWNcvFJfkquL//NW9r4WC",
    "$apr1$vFFM2z.S$RLxtXR1lbQVuHXlI50TM8.",
    "$apr1$lZL6Vci1$84TfUr..IXY5TOO6oyKER0",
    "$5$saltsalt$yrhPKxCqiWcCE9h0g86j6Ugz7SDFdFm.BjU.d8RaQnC",
    "$6$EFiqSOE.UndU9s4a$z7XZuatamRDFznTW3r1t/wS5aGoflZDr3Lyde3oAdN.A8yYa.VcojUS16MgwcSIs4AAaQk92EV5pkOKyjcwRY1",
    "{SHA}W8r/fyL/UzygmbNAjq2HbA67qac=",
];

#[test]
fn lgn_06_each_kind_of_hash_is_checked() {
    for hash in HASHES {
        assert_eq!(has_hash(b"open sesame", hash), Ok(true), "{hash}");
        assert_eq!(has_hash(b"open sesam", hash), Ok(false), "{hash}");
        assert_eq!(has_hash(b"", hash), Ok(false), "{hash}");
    }
}

#[test]
fn lgn_06_passwords_of_any_length_have_their_apr1_hash() {
    let long = b"a much longer password of more than sixteen bytes";
    assert_eq!(has_hash(long, "$apr1$abc$qV9jfX2xeOjyoXkwBdIj41"), Ok(true));
    let empty = "$apr1$cks.fo7r$CEu8mSKDBTEPaJVL7P61c/";
    assert_eq!(has_hash(b"", empty), Ok(true));
}

#[test]
fn lgn_06_other_hashes_and_damaged_ones_are_named() {
    for (hash, message) in [
        ("MQUi.4GI8alvo", "write it anew with `htpasswd -B`"),
        ("open sesame", "write it anew with `htpasswd -B`"),
        ("", "write it anew with `htpasswd -B`"),
        ("$2y$04$short", "the bcrypt hash is damaged"),
    ] {
        let error = has_hash(b"open sesame", hash).unwrap_err();
        assert!(error.ends_with(message), "{hash}: {error}");
    }
    for hash in ["$apr1$", "$5$", "$6$salt", "{SHA}"] {
        assert_eq!(has_hash(b"open sesame", hash), Ok(false), "{hash}");
    }
}

#[test]
fn lgn_06_the_first_line_of_a_name_counts() {
    let text = "# users\nann:one\r\nbob:two:Bob:more\nann:three\n";
    assert_eq!(hash_in(text, "ann"), Some("one"));
    assert_eq!(hash_in(text, "bob"), Some("two"));
    assert_eq!(hash_in(text, "an"), None);
    assert_eq!(hash_in(text, ""), None);
}
