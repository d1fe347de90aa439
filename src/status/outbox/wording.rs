//! The wording of letters: the master's own templates, and those of the user (MSG-01, MSG-03).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::objects;
use crate::config::expression::Page;
use crate::config::{Config, StatusConfig};

/// Bytes of a template of the user.
const LONGEST_TEMPLATE: u64 = 256 * 1024;

/// What a letter is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum About {
    Build,
    Set,
    Problems,
    /// The same with a line for each problem.
    ProblemsInLines,
}

/// The texts of a letter.
#[derive(Clone, Debug)]
pub(super) struct Wording {
    pub(super) text: String,
    pub(super) html: Option<String>,
}

const BUILD_TEXT: &str = include_str!("templates/build.txt");
const BUILD_HTML: &str = include_str!("templates/build.html");
const SET_TEXT: &str = include_str!("templates/set.txt");
const SET_HTML: &str = include_str!("templates/set.html");
const PROBLEMS_TEXT: &str = include_str!("templates/problems.txt");
const PROBLEMS_HTML: &str = include_str!("templates/problems.html");
const PROBLEMS_LINES: &str = include_str!("templates/problems.line");

impl About {
    const fn built_in(self, is_html: bool) -> &'static str {
        match (self, is_html) {
            (Self::Build, false) => BUILD_TEXT,
            (Self::Build, true) => BUILD_HTML,
            (Self::Set, false) => SET_TEXT,
            (Self::Set, true) => SET_HTML,
            (Self::Problems, false) => PROBLEMS_TEXT,
            (Self::Problems, true) => PROBLEMS_HTML,
            (Self::ProblemsInLines, _) => PROBLEMS_LINES,
        }
    }
}

/// The templates of the user by their names, as they were when the configuration was put in force
/// (MSG-03); or why one cannot be read.
#[derive(Debug, Default)]
pub(super) struct Templates(BTreeMap<String, Result<Template, String>>);

/// A template of the user.
#[derive(Debug)]
struct Template {
    text: String,
    html: Option<String>,
}

impl Templates {
    /// Reads those that the status targets name.
    pub(super) fn read(basedir: &Path, config: &Config) -> Self {
        let names = config.status.iter().filter_map(StatusConfig::template);
        let read = names.map(|name| (name.to_owned(), Template::read(basedir, name)));
        Self(read.collect())
    }

    /// The text of a template, filled in.
    ///
    /// # Errors
    /// It cannot be read, or fails.
    pub(super) fn render(&self, name: &str, objects: &Json) -> Result<String, String> {
        self.get(name)?.render(name, objects)
    }

    fn get(&self, name: &str) -> Result<&Template, String> {
        let unknown = || Err(format!("`{name}` was not read"));
        let known = self.0.get(name).map_or_else(unknown, Ok)?;
        known.as_ref().map_err(String::clone)
    }
}

impl Template {
    fn read(basedir: &Path, name: &str) -> Result<Self, String> {
        let html = path(basedir, name, true);
        Ok(Self {
            text: contents(&path(basedir, name, false))?,
            html: match html.exists() {
                true => Some(contents(&html)?),
                false => None,
            },
        })
    }

    fn render(&self, name: &str, objects: &Json) -> Result<String, String> {
        filled(&self.text, false, objects).map_err(|why| format!("{name}.j2: {why}"))
    }

    /// Absent if there is no template for HTML.
    fn render_html(&self, name: &str, objects: &Json) -> Option<Result<String, String>> {
        let html = self.html.as_ref()?;
        Some(filled(html, true, objects).map_err(|why| format!("{name}.html.j2: {why}")))
    }
}

/// The texts of a letter. A template of the user that fails is replaced by the master's own, with a
/// line that says so.
///
/// # Errors
/// The master's own template fails.
pub(super) fn word(
    templates: &Templates,
    about: About,
    (template, wants_html): (Option<&str>, bool),
    objects: &Json,
) -> Result<Wording, String> {
    let own = |is_html: bool| filled(about.built_in(is_html), is_html, objects);
    let text = match template.map(|name| templates.render(name, objects)) {
        Some(Ok(text)) => text,
        Some(Err(why)) => format!("{}\n[The template failed: {why}]\n", own(false)?),
        None => own(false)?,
    };
    let their_html = || {
        let template = template?;
        templates.get(template).ok()?.render_html(template, objects)
    };
    let html = match wants_html {
        false => None,
        true => match their_html() {
            Some(Ok(html)) => Some(html),
            Some(Err(why)) => Some(format!(
                "{}\n<!-- The template failed: {} -->\n",
                own(true)?,
                why.replace("--", "- -")
            )),
            None => Some(own(true)?),
        },
    };
    Ok(Wording { text, html })
}

fn filled(template: &str, is_html: bool, objects: &Json) -> Result<String, String> {
    let page = Page::compile(template, is_html);
    let text = page.and_then(|page| page.render(objects));
    text.map_err(|mistake| mistake.to_string())
}

fn path(basedir: &Path, name: &str, is_html: bool) -> PathBuf {
    let end = if is_html { ".html.j2" } else { ".j2" };
    basedir.join("templates").join(format!("{name}{end}"))
}

fn contents(path: &Path) -> Result<String, String> {
    let about = |error: std::io::Error| format!("{}: {error}", path.display());
    let length = std::fs::metadata(path).map_err(about)?.len();
    if length > LONGEST_TEMPLATE {
        let path = path.display();
        return Err(format!("{path} has more than {LONGEST_TEMPLATE} bytes"));
    }
    std::fs::read_to_string(path).map_err(about)
}

/// Checks a template of the user with a build that never was (MSG-03).
///
/// # Errors
/// Why it cannot be used.
pub fn check_template(basedir: &Path, name: &str) -> Result<(), String> {
    let objects = objects::sample();
    let template = Template::read(basedir, name)?;
    template.render(name, &objects)?;
    template.render_html(name, &objects).transpose().map(drop)
}

/// The subject of a mail (MAL-07).
pub(super) fn subject(
    form: &str,
    (result, builder): (&str, &str),
    config: &Config,
    objects: &Json,
) -> String {
    if form.contains("{{") || form.contains("{%") {
        let page = Page::compile(form, false);
        if let Ok(text) = page.and_then(|page| page.render(objects)) {
            return text;
        }
    }
    form.replace("%(result)s", result)
        .replace("%(title)s", &config.title)
        .replace("%(projectName)s", &config.title)
        .replace("%(builder)s", builder)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;
    use crate::config::MailNotifierConfig;

    #[test]
    fn mal_07_all_cases_of_mail_texts() {
        let cases: Json =
            serde_json::from_str(include_str!("../../../tests/data/letter-cases.json")).unwrap();
        let cases = cases["cases"].as_array().unwrap().iter();
        let usual = MailNotifierConfig::default().subject;
        for case in cases.filter(|case| case["area"] == "mailtext") {
            let (given, expect) = (&case["given"], &case["expect"]);
            let text = |name: &str| given[name].as_str().unwrap();
            let config = Config {
                title: text("title").to_owned(),
                ..Config::default()
            };
            let about = (text("result"), text("builder"));
            let mut objects = objects::sample();
            objects["opening"] = expect["says"].clone();
            objects["judgement"] = json!(null);
            let subject = subject(&usual, about, &config, &objects);
            assert_eq!(expect["subject"], subject, "{}", case["id"]);
            let templates = Templates::default();
            let worded = word(&templates, About::Build, (None, true), &objects).unwrap();
            let first = worded.text.lines().next().unwrap().to_lowercase();
            let says = expect["says"].as_str().unwrap();
            assert!(first.contains(says), "{}: {first}", case["id"]);
            assert!(worded.html.unwrap().contains(says), "{}", case["id"]);
        }
    }

    #[test]
    fn msg_03_a_template_that_fails_is_replaced_and_checked_before() {
        let basedir = tempfile::tempdir().unwrap();
        let dir = basedir.path().join("templates");
        std::fs::create_dir(&dir).unwrap();
        let objects = objects::sample();
        let read = |name: &str| {
            let template = Template::read(basedir.path(), name);
            Templates(BTreeMap::from([(name.to_owned(), template)]))
        };
        let worded = |name: &str| {
            let wanted = (Some(name), false);
            word(&read(name), About::Build, wanted, &objects).unwrap()
        };
        std::fs::write(dir.join("good.j2"), "{{ builder.name }}: {{ opening }}\n").unwrap();
        assert_eq!(worded("good").text, "full: new failure\n");
        assert_eq!(check_template(basedir.path(), "good"), Ok(()));
        std::fs::write(dir.join("bad.j2"), "{{ builder.name | nope }}").unwrap();
        let text = worded("bad").text;
        assert!(text.contains("A new failure: builder full"), "{text}");
        assert!(text.contains("[The template failed: "), "{text}");
        assert!(check_template(basedir.path(), "bad").is_err());
        assert!(check_template(basedir.path(), "none").is_err());
        std::fs::write(dir.join("good.html.j2"), "<b>{{ builder.name }}").unwrap();
        let mut hostile = objects::sample();
        hostile["builder"]["name"] = json!("<script>");
        let wanted = (Some("good"), true);
        let html = |templates: &Templates| {
            let worded = word(templates, About::Build, wanted, &hostile);
            worded.unwrap().html.unwrap()
        };
        assert_eq!(html(&read("good")), "<b>&lt;script&gt;");
        std::fs::write(dir.join("good.html.j2"), "{{ builder | nope }}").unwrap();
        let html = html(&read("good"));
        assert!(
            html.contains("&lt;script&gt;") && html.contains("The template failed"),
            "{html}"
        );
    }
}
