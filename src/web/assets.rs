//! The style sheet and the script, which are part of the program.
//!
//! The style sheet is a file whose name changes with its contents, so that browsers keep it for
//! ever. The script is written into each page and allowed by its hash: no file that a build uploads
//! can ever run as a script.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// The style sheet.
pub(super) const STYLE: &str = include_str!("static/style.css");

/// The script.
pub(super) const SCRIPT: &str = include_str!("static/live.js");

/// The icon for those who ask for one without looking at a page.
pub(super) const ICON: &str = concat!(
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'>",
    "<rect width='32' height='32' rx='7' fill='#5f666d'/>",
    "<path d='M10 16h12' fill='none' stroke='#fff' stroke-width='4' stroke-linecap='round'/></svg>"
);

/// The address of the style sheet.
pub(super) static STYLE_PATH: LazyLock<String> = LazyLock::new(|| {
    let hash = Sha256::digest(STYLE);
    let hash: String = hash.iter().take(6).map(|b| format!("{b:02x}")).collect();
    format!("/static/style-{hash}.css")
});

/// What pages may do: nothing but use our style sheet, our script and our addresses.
pub(super) static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(SCRIPT));
    format!(
        "default-src 'none'; style-src 'self'; script-src 'sha256-{hash}'; img-src 'self' data:; \
         connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
});

#[cfg(test)]
mod tests {
    use super::*;

    /// The parser of HTML ends the script there.
    #[test]
    fn the_script_can_stand_inside_a_page() {
        assert!(!SCRIPT.contains("</") && !SCRIPT.contains("<!--"));
    }

    #[test]
    fn the_policy_allows_nothing_inline_but_the_script() {
        assert!(POLICY.starts_with("default-src 'none'; "));
        assert!(POLICY.contains("script-src 'sha256-") && !POLICY.contains("unsafe"));
        assert!(STYLE_PATH.starts_with("/static/style-") && STYLE_PATH.len() == 30);
    }
}
