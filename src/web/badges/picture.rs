//! A badge as SVG: a label, a shape and a word, 20 pixels high.

use crate::web::parts::Tone;
use crate::web::xml::{escaped, shortened};

/// Characters of a label and of a word.
const LONGEST: usize = 60;

/// The badge that says `words` of `label`.
pub(super) fn svg(label: &str, words: &str, tone: Tone) -> String {
    let (label, words) = (shortened(label, LONGEST), shortened(words, LONGEST));
    let left = width(&label) + 12;
    let right = width(&words) + 26;
    let whole = left + right;
    let (middle, text) = (left + 6, left + 20);
    let (label_width, words_width) = (width(&label), width(&words));
    let (label, words) = (escaped(&label), escaped(&words));
    let (colour, path) = look(tone);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{whole}\" height=\"20\" role=\"img\" \
         aria-label=\"{label}: {words}\"><title>{label}: {words}</title>\
         <clipPath id=\"r\"><rect width=\"{whole}\" height=\"20\" rx=\"4\"/></clipPath>\
         <g clip-path=\"url(#r)\"><rect width=\"{left}\" height=\"20\" fill=\"#43484d\"/>\
         <rect x=\"{left}\" width=\"{right}\" height=\"20\" fill=\"{colour}\"/></g>\
         <path transform=\"translate({middle} 5)\" d=\"{path}\" fill=\"none\" stroke=\"#fff\" \
         stroke-width=\"2\" stroke-linecap=\"round\" stroke-linejoin=\"round\"/>\
         <g fill=\"#fff\" font-family=\"Verdana,DejaVu Sans,sans-serif\" font-size=\"11\">\
         <text x=\"6\" y=\"14\" textLength=\"{label_width}\" lengthAdjust=\"spacingAndGlyphs\">\
         {label}</text>\
         <text x=\"{text}\" y=\"14\" textLength=\"{words_width}\" \
         lengthAdjust=\"spacingAndGlyphs\">{words}</text></g></svg>\n"
    )
}

/// The colour of a state, and its shape in a square of 10.
const fn look(tone: Tone) -> (&'static str, &'static str) {
    match tone {
        Tone::Ok => ("#1e7a45", "M1 5l3 3 5-6"),
        Tone::Warn => ("#9a5d00", "M5 1v5M5 9v.1"),
        Tone::Fail => ("#c22a27", "M1 1l8 8M9 1l-8 8"),
        Tone::Exc | Tone::Retry => ("#7f3fb0", "M5 1v5M5 9v.1"),
        Tone::Run => ("#2467b5", "M3 1l5 4-5 4z"),
        Tone::Wait => ("#5f666d", "M3 1v8M7 1v8"),
        Tone::Off => ("#5f666d", "M1 5h8"),
    }
}

/// About how wide a text is, in pixels, in the fonts of badges.
fn width(text: &str) -> usize {
    let tenths = text.chars().map(|c| match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' => 38,
        'f' | 't' | 'r' | ' ' | '-' | '/' | '(' | ')' => 48,
        'm' | 'w' | 'M' | 'W' => 102,
        'A'..='Z' => 77,
        '\u{1100}'.. => 110,
        _ => 68,
    });
    tenths.sum::<usize>().div_ceil(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_badge_is_as_wide_as_its_words() {
        let short = svg("a", "b", Tone::Ok);
        let long = svg("a longer label", "a longer word", Tone::Ok);
        assert!(
            short.contains("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"52\" "),
            "{short}"
        );
        assert!(long.contains("width=\"200\" height=\"20\""), "{long}");
    }

    #[test]
    fn a_badge_never_grows_without_limit() {
        let badge = svg(&"x".repeat(1_000_000), "y", Tone::Fail);
        assert!(badge.len() < 2_000, "{}", badge.len());
    }
}
