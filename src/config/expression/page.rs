//! Texts with `{{ … }}` and `{% … %}`: the templates of letters (MSG-01, MSG-03).

use std::fmt;
use std::io::{self, Write};

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};
use serde_json::Value as Json;

use super::json::to_value;
use super::{Class, Mistake, filters};

/// A template. It has the filters and tests of expressions but those with patterns, and reads
/// nothing.
pub struct Page(Environment<'static>);

/// How much work a template may be (MSG-01).
const FUEL: u64 = 100_000;

/// Bytes that a template may make (MSG-01).
const MOST_OUTPUT: usize = 1 << 20;

/// The only template of its environment.
const NAME: &str = "page";

impl Page {
    /// Reads a template; what is put into it is escaped for HTML if that `is_html`.
    ///
    /// # Errors
    /// It is not a template.
    pub fn compile(text: &str, is_html: bool) -> Result<Self, Mistake> {
        let mut all = filters::environment(UndefinedBehavior::Chainable, FUEL);
        if let Ok(syntax) = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .keep_trailing_newline(true)
            .build()
        {
            all.set_syntax(syntax);
        }
        all.set_auto_escape_callback(move |_| match is_html {
            true => AutoEscape::Html,
            false => AutoEscape::None,
        });
        let added = all.add_template_owned(NAME, text.to_owned());
        added.map_err(|error| mistake(&error, Class::ExpressionSyntax))?;
        Ok(Self(all))
    }

    /// The text with `objects` put in.
    ///
    /// # Errors
    /// It cannot be worked out, costs too much, or is longer than 1 MiB.
    pub fn render(&self, objects: &Json) -> Result<String, Mistake> {
        let mut out = Limited::default();
        let template = self.0.get_template(NAME);
        let template = template.map_err(|error| mistake(&error, Class::Evaluation))?;
        match template.render_captured_to(to_value(objects), &mut out) {
            Ok(_) => {}
            Err(_) if out.is_full => {
                let message = format!("the text is longer than {MOST_OUTPUT} bytes");
                return Err(Mistake::new(Class::TooMuch, message, ""));
            }
            Err(error) => return Err(mistake(&error, Class::Evaluation)),
        }
        Ok(String::from_utf8_lossy(&out.bytes).into_owned())
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Page(…)")
    }
}

fn mistake(error: &Error, class: Class) -> Mistake {
    if error.kind() == ErrorKind::OutOfFuel {
        let message = format!("the template is too much work (limit: {FUEL} steps)");
        return Mistake::new(Class::TooMuch, message, "");
    }
    let line = error
        .line()
        .map_or_else(String::new, |line| format!("line {line}: "));
    let message = format!(
        "{line}{}",
        error
            .detail()
            .map_or_else(|| error.kind().to_string(), str::to_owned)
    );
    Mistake::new(class, message, "")
}

/// Keeps what is written up to a limit.
#[derive(Default)]
struct Limited {
    bytes: Vec<u8>,
    is_full: bool,
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > MOST_OUTPUT {
            self.is_full = true;
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    #[test]
    fn msg_01_a_template_has_limits_and_reads_nothing() {
        let render = |text: &str, is_html| {
            let page = Page::compile(text, is_html)?;
            page.render(&json!({ "who": "<b> & co", "all": ["x", "y"] }))
        };
        let all = "{% for one in all %}\n- {{ one }} {{ who }}\n{% endfor %}\n";
        assert_eq!(render(all, false).unwrap(), "- x <b> & co\n- y <b> & co\n");
        assert_eq!(render("{{ who }}", true).unwrap(), "&lt;b&gt; &amp; co");
        assert_eq!(render("{{ nobody.is.here }}", false).unwrap(), "");
        let endless =
            "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}";
        let spent = render(endless, false).unwrap_err();
        assert_eq!(spent.class, Class::TooMuch, "{spent}");
        let long = "{% for a in range(9999) %}{{ 'x' * 1000 }}{% endfor %}";
        let long = long.replace("{{ 'x' * 1000 }}", &"x".repeat(1000));
        let long = render(&long, false).unwrap_err();
        assert!(long.message.contains("longer than 1048576 bytes"), "{long}");
        for odd in ["{% include 'x' %}", "{% if %}", "{{ who | safe }}", "{{ x"] {
            assert!(render(odd, true).is_err(), "{odd}");
        }
    }
}
