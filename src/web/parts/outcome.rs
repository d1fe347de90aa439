//! What a result says: its shape, its word, and whether it is news (WEB.md, section 2).

use askama::Template;

use crate::model::{BuildNumber, BuilderName, Judgement, Results};
use crate::web::address;

/// The colour and shape of a state, with the name of its class.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Tone {
    /// Success.
    Ok,
    /// Warnings.
    Warn,
    /// Failure.
    Fail,
    /// The fault of the master or the slave, or stopped.
    Exc,
    /// Built again.
    Retry,
    /// Running.
    Run,
    /// Waiting.
    Wait,
    /// Not built, or nothing to say.
    Off,
}

impl Tone {
    /// The class in the style sheet.
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Exc => "exc",
            Self::Retry => "retry",
            Self::Run => "run",
            Self::Wait => "wait",
            Self::Off => "off",
        }
    }

    /// The symbol in front of a title, with a space behind it; empty if there is none.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Ok => "✓ ",
            Self::Warn | Self::Exc | Self::Retry => "! ",
            Self::Fail => "✕ ",
            Self::Run => "▸ ",
            Self::Wait => "⏸ ",
            Self::Off => "",
        }
    }
}

/// The result of a build or a step, or what it has instead of a result.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Outcome {
    tone: Tone,
    news: News,
}

/// Whether a result differs from the one before it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum News {
    New,
    Still,
    Fixed,
    None,
}

impl Outcome {
    /// A state that is not compared with anything.
    #[must_use]
    pub const fn plain(tone: Tone) -> Self {
        let news = News::None;
        Self { tone, news }
    }

    /// The result of a build, and how it compares with the one before; absent while it runs.
    #[must_use]
    pub const fn of(result: Option<Results>, news: Option<Judgement>) -> Self {
        let tone = match result {
            None => Tone::Run,
            Some(Results::Success) => Tone::Ok,
            Some(Results::Warnings) => Tone::Warn,
            Some(Results::Failure) => Tone::Fail,
            Some(Results::Exception) => Tone::Exc,
            Some(Results::Retry) => Tone::Retry,
            Some(Results::Skipped) => Tone::Off,
        };
        let news = match news {
            Some(Judgement::New) => News::New,
            Some(Judgement::Still) => News::Still,
            Some(Judgement::Fixed) => News::Fixed,
            None => News::None,
        };
        Self { tone, news }
    }

    /// Its colour and shape.
    #[must_use]
    pub const fn tone(self) -> Tone {
        self.tone
    }

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match (self.tone, self.news) {
            (Tone::Ok | Tone::Warn, News::Fixed) => "fixed",
            (Tone::Ok, _) => "success",
            (Tone::Warn, News::New) => "new warnings",
            (Tone::Warn, News::Still) => "still warnings",
            (Tone::Warn, News::None) => "warnings",
            (Tone::Fail, News::New) => "new failure",
            (Tone::Fail, News::Still) => "still failing",
            (Tone::Fail, _) => "failure",
            (Tone::Exc, _) => "exception",
            (Tone::Retry, _) => "retry",
            (Tone::Run, _) => "running",
            (Tone::Wait, _) => "waiting",
            (Tone::Off, _) => "not built",
        }
    }

    /// Its classes.
    #[must_use]
    pub const fn classes(self) -> &'static str {
        match (self.tone, self.news) {
            (Tone::Ok, News::Fixed) => "ok fixed",
            (Tone::Warn, News::Fixed) => "warn fixed",
            (Tone::Warn, News::New) => "warn new",
            (Tone::Warn, News::Still) => "warn still",
            (Tone::Fail, News::New) => "fail new",
            (Tone::Fail, News::Still) => "fail still",
            (tone, _) => tone.class(),
        }
    }
}

/// A build as a link: its number or its name, with the word for readers.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<a class="p {{ outcome.classes() }}" href="{{ href }}">{{ text }}<b> {{ outcome.word() }}</b></a>"#,
    ext = "html"
)]
pub struct Pill {
    outcome: Outcome,
    href: String,
    text: String,
}

impl askama::filters::HtmlSafe for Pill {}

impl Pill {
    /// A build by its number.
    #[must_use]
    pub fn number(builder: &BuilderName, number: BuildNumber, outcome: Outcome) -> Self {
        Self {
            outcome,
            href: address::build(builder, number),
            text: number.to_string(),
        }
    }

    /// A build by its builder and its number.
    #[must_use]
    pub fn name(builder: &BuilderName, number: BuildNumber, outcome: Outcome) -> Self {
        Self {
            text: format!("{builder} {number}"),
            ..Self::number(builder, number, outcome)
        }
    }

    /// A link of this text to somewhere else.
    #[must_use]
    pub const fn link(text: String, href: String, outcome: Outcome) -> Self {
        Self {
            outcome,
            href,
            text,
        }
    }
}

/// A build as a small square in a row of squares.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"{% match href %}{% when Some(href) %}<a class="q {{ outcome.classes() }}" href="{{ href }}" title="{{ text }} {{ outcome.word() }}"><b>{{ text }} {{ outcome.word() }}</b></a>{% when None %}<i class="q {{ outcome.classes() }}" title="{{ text }} {{ outcome.word() }}"></i>{% endmatch %}"#,
    ext = "html"
)]
pub struct Square {
    outcome: Outcome,
    href: Option<String>,
    text: String,
}

impl askama::filters::HtmlSafe for Square {}

impl Square {
    /// A build by its number.
    #[must_use]
    pub fn number(builder: &BuilderName, number: BuildNumber, outcome: Outcome) -> Self {
        Self {
            outcome,
            href: Some(address::build(builder, number)),
            text: number.to_string(),
        }
    }

    /// A build by its builder.
    #[must_use]
    pub fn builder(builder: &BuilderName, number: BuildNumber, outcome: Outcome) -> Self {
        Self {
            outcome,
            href: Some(address::build(builder, number)),
            text: builder.to_string(),
        }
    }

    /// A square that is not a link.
    #[must_use]
    pub fn bare(text: &str, outcome: Outcome) -> Self {
        Self {
            outcome,
            href: None,
            text: text.to_owned(),
        }
    }
}

/// The shape of a state in front of a text, with its word for readers.
#[derive(Clone, Copy, Debug, Template)]
#[template(
    source = r#"<span class="i {{ outcome.tone().class() }}"></span><span class="v">{{ outcome.word() }}: </span>"#,
    ext = "html"
)]
pub struct Mark {
    outcome: Outcome,
}

impl askama::filters::HtmlSafe for Mark {}

impl Mark {
    /// The mark of an outcome.
    #[must_use]
    pub const fn new(outcome: Outcome) -> Self {
        Self { outcome }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_says_in_a_word_and_a_class_whether_it_is_news() {
        use Judgement::{Fixed, New, Still};
        use Results::{Exception, Failure, Retry, Skipped, Success, Warnings};

        for (result, news, classes, word) in [
            (Some(Success), None, "ok", "success"),
            (Some(Success), Some(Fixed), "ok fixed", "fixed"),
            (Some(Warnings), None, "warn", "warnings"),
            (Some(Warnings), Some(New), "warn new", "new warnings"),
            (Some(Warnings), Some(Still), "warn still", "still warnings"),
            (Some(Warnings), Some(Fixed), "warn fixed", "fixed"),
            (Some(Failure), Some(New), "fail new", "new failure"),
            (Some(Failure), Some(Still), "fail still", "still failing"),
            (Some(Failure), None, "fail", "failure"),
            (Some(Exception), None, "exc", "exception"),
            (Some(Retry), None, "retry", "retry"),
            (Some(Skipped), None, "off", "not built"),
            (None, None, "run", "running"),
        ] {
            let outcome = Outcome::of(result, news);
            assert_eq!((outcome.classes(), outcome.word()), (classes, word));
        }
    }

    #[test]
    fn the_word_of_a_result_is_in_the_text_and_names_are_escaped() {
        let outcome = Outcome::of(Some(Results::Failure), Some(Judgement::New));
        let pill = Pill::name(&"<b>".into(), BuildNumber(7), outcome);
        let html = r#"<a class="p fail new" href="/builders/%3Cb%3E/builds/7">&#60;b&#62; 7<b> new failure</b></a>"#;
        assert_eq!(pill.to_string(), html);
    }
}
