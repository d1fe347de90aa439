//! The wording of letters: the master's own templates, and those of the user (MSG-01, MSG-03).

use std::path::Path;

use serde_json::Value as Json;

use super::objects;
use crate::config::Config;
use crate::config::expression::Page;

/// Bytes of a template of the user.
const LONGEST_TEMPLATE: u64 = 256 * 1024;

/// What a letter is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum About {
    Build,
    Set,
    Problems,
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

impl About {
    const fn built_in(self, is_html: bool) -> &'static str {
        match (self, is_html) {
            (Self::Build, false) => BUILD_TEXT,
            (Self::Build, true) => BUILD_HTML,
            (Self::Set, false) => SET_TEXT,
            (Self::Set, true) => SET_HTML,
            (Self::Problems, false) => PROBLEMS_TEXT,
            (Self::Problems, true) => PROBLEMS_HTML,
        }
    }
}

/// The texts of a letter. A template of the user that fails is replaced by the master's own, with a
/// line that says so.
///
/// # Errors
/// The master's own template fails.
pub(super) fn word(
    basedir: &Path,
    about: About,
    (template, wants_html): (Option<&str>, bool),
    objects: &Json,
) -> Result<Wording, String> {
    let own = |is_html: bool| {
        let page = Page::compile(about.built_in(is_html), is_html);
        let text = page.and_then(|page| page.render(objects));
        text.map_err(|mistake| mistake.to_string())
    };
    let text = match template.map(|name| theirs(basedir, name, false, objects)) {
        Some(Ok(text)) => text,
        Some(Err(why)) => format!("{}\n[The template failed: {why}]\n", own(false)?),
        None => own(false)?,
    };
    let html = match (wants_html, template) {
        (false, _) => None,
        (true, Some(name)) if path(basedir, name, true).exists() => {
            theirs(basedir, name, true, objects).ok()
        }
        (true, _) => Some(own(true)?),
    };
    Ok(Wording { text, html })
}

fn path(basedir: &Path, name: &str, is_html: bool) -> std::path::PathBuf {
    let end = if is_html { ".html.j2" } else { ".j2" };
    basedir.join("templates").join(format!("{name}{end}"))
}

fn theirs(basedir: &Path, name: &str, is_html: bool, objects: &Json) -> Result<String, String> {
    let path = path(basedir, name, is_html);
    let about = |error: std::io::Error| format!("{}: {error}", path.display());
    let length = std::fs::metadata(&path).map_err(about)?.len();
    if length > LONGEST_TEMPLATE {
        let path = path.display();
        return Err(format!("{path} has more than {LONGEST_TEMPLATE} bytes"));
    }
    let text = std::fs::read_to_string(&path).map_err(about)?;
    let page = Page::compile(&text, is_html);
    let text = page.and_then(|page| page.render(objects));
    text.map_err(|mistake| format!("{}: {mistake}", path.display()))
}

/// Checks a template of the user with a build that never was (MSG-03).
///
/// # Errors
/// Why it cannot be used.
pub fn check_template(basedir: &Path, name: &str) -> Result<(), String> {
    let objects = objects::sample();
    theirs(basedir, name, false, &objects)?;
    if path(basedir, name, true).exists() {
        theirs(basedir, name, true, &objects)?;
    }
    Ok(())
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
            let basedir = Path::new("/nowhere");
            let worded = word(basedir, About::Build, (None, true), &objects).unwrap();
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
        let worded = |name: &str| {
            let wanted = (Some(name), false);
            word(basedir.path(), About::Build, wanted, &objects).unwrap()
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
        let html = word(basedir.path(), About::Build, wanted, &hostile)
            .unwrap()
            .html;
        assert_eq!(html.as_deref(), Some("<b>&lt;script&gt;"));
    }
}
