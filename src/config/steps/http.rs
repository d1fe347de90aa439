//! The settings of `HTTPStep`, and of `GET`, `PUT` and so on, which are one with a fixed method.

use std::time::Duration;

use serde::Serialize;

use super::kind::StepSettings;
use crate::config::quantities::{LONGEST, SHORTEST};
use crate::config::reader::{Table, Value};
use crate::config::template::Template;
use crate::config::trace::Wanted;

/// Settings of the HTTP steps: a request that the master makes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HttpStepConfig {
    /// What is asked: GET, POST, PUT, DELETE, HEAD or OPTIONS.
    pub method: &'static str,
    /// The address.
    pub url: Template,
    /// Names and values that are added to the query of the address.
    pub params: Vec<(String, Template)>,
    /// What is sent.
    pub data: Option<HttpData>,
    /// Names and values of headers of the request.
    pub headers: Vec<(String, Template)>,
    /// User and password, for basic authentication.
    pub auth: Option<(Template, Template)>,
    /// Longest time of the request, with its redirections.
    pub timeout: Duration,
    /// Whether redirections are followed, at most 30.
    pub allow_redirects: bool,
    /// Whether the certificate of the server is checked.
    pub verify: bool,
    /// Headers of the request whose values the log does not show.
    pub hide_request_headers: Vec<String>,
    /// Headers of the response whose values the log does not show.
    pub hide_response_headers: Vec<String>,
}

/// What a request sends.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HttpData {
    /// A text as it is.
    Text(Template),
    /// The fields of a form.
    Form(Vec<(String, Template)>),
}

/// The keys of these steps, other than `method`.
pub(super) const KEYS: &[&str] = &[
    "url",
    "params",
    "data",
    "headers",
    "auth",
    "timeout",
    "allow_redirects",
    "verify",
    "hide_request_headers",
    "hide_response_headers",
];

/// The keys that only `HTTPStep` has.
pub(super) const METHOD: &[&str] = &["method"];

/// What may be asked.
pub(super) const METHODS: [&str; 6] = ["POST", "GET", "PUT", "DELETE", "HEAD", "OPTIONS"];

impl StepSettings for HttpStepConfig {}

impl HttpStepConfig {
    /// A step that asks this; an empty method has to be given.
    #[must_use]
    pub fn of(method: &'static str) -> Self {
        Self {
            method,
            url: Template::literal(""),
            params: Vec::new(),
            data: None,
            headers: Vec::new(),
            auth: None,
            timeout: Duration::from_secs(5 * 60),
            allow_redirects: true,
            verify: true,
            hide_request_headers: Vec::new(),
            hide_response_headers: Vec::new(),
        }
    }

    /// Takes what the table has.
    pub(super) fn read(&mut self, table: &mut Table<'_>) {
        if self.method.is_empty() {
            let method = table.require("method", "\"POST\"");
            self.method = method.and_then(|v| v.one_of(&METHODS)).unwrap_or_default();
        }
        let url = table.require("url", "\"https://example.org/hook\"");
        if let Some(url) = url.and_then(|v| v.secret_template()) {
            self.url = url;
        }
        table.set("params", &mut self.params, read_pairs);
        table.set_some("data", &mut self.data, read_data);
        table.set("headers", &mut self.headers, read_headers);
        table.set_some("auth", &mut self.auth, read_auth);
        table.set("timeout", &mut self.timeout, |v| {
            v.duration(SHORTEST..=LONGEST)
        });
        table.set("allow_redirects", &mut self.allow_redirects, Value::flag);
        table.set("verify", &mut self.verify, Value::flag);
        for (key, names) in [
            ("hide_request_headers", &mut self.hide_request_headers),
            ("hide_response_headers", &mut self.hide_response_headers),
        ] {
            table.set(key, names, read_names);
        }
    }
}

fn read_pairs(value: &Value<'_>) -> Option<Vec<(String, Template)>> {
    let pair =
        |(name, value): &(&str, Value<'_>)| Some(((*name).to_owned(), value.secret_template()?));
    Some(value.entries().iter().filter_map(pair).collect())
}

/// A text, or a table of fields.
fn read_data(value: &Value<'_>) -> Option<HttpData> {
    let is_special = |key: &str| key == "format" || key.starts_with("secret");
    match value.among([Wanted::Text, Wanted::AnyTable]).as_table() {
        Some(table) if !table.keys().any(is_special) => read_pairs(value).map(HttpData::Form),
        Some(_) | None => value.secret_template().map(HttpData::Text),
    }
}

fn read_headers(value: &Value<'_>) -> Option<Vec<(String, Template)>> {
    for (name, value) in value.entries() {
        let is_of_names = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || !name.chars().all(is_of_names) {
            let message = format!("`{}` is not a header name", name.escape_debug());
            let help = "letters, digits and `-`, for example `X-Token`";
            value.sink.error(value.key_span.clone(), message, help);
        }
    }
    read_pairs(value)
}

fn read_auth(value: &Value<'_>) -> Option<(Template, Template)> {
    let entries = value.list()?;
    let [user, password] = entries.as_slice() else {
        let help = "write `[\"USER\", { secret_file = \"FILE\" }]`";
        return value.expected("a user and a password", help);
    };
    user.template().zip(password.secret_template())
}

fn read_names(value: &Value<'_>) -> Option<Vec<String>> {
    let entries = value.list()?;
    let names = entries.iter().filter_map(Value::name);
    Some(names.map(str::to_owned).collect())
}
