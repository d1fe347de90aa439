//! The HTTP steps: a request that the master makes.
//!
//! The response goes to the logs piece by piece, so that its size costs no memory. A stop of the
//! build ends the wait for it.

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Request, Response, Url};

use super::shell::{Unrenderable, describe, put_in};
use crate::build::control::{FOREVER, Paused};
use crate::build::step::{Performed, StepRun};
use crate::config::{HttpData, HttpStepConfig, Template};
use crate::logs::Channel;
use crate::model::Results;
use crate::net::{error_chain, http_client};
use crate::protocol::ShellCommand;

/// The log of the request and the response.
const LOG: &str = "log";

/// The log of what the response contains.
const CONTENT: &str = "content";

/// Runs the step.
pub(in crate::build) async fn perform(
    step: &mut StepRun<'_>,
    config: &HttpStepConfig,
) -> Performed {
    let raised =
        |name: &str, problem: String| Performed::Raised(format!("step '{name}': {problem}\n"));
    let (job, texts) = match prepare(step, config) {
        Ok(prepared) => prepared,
        Err(problem) => return raised(step.name, problem),
    };
    step.begin(texts.0, texts.1, &[LOG]).await;
    step.logs.put((LOG, Channel::Header), job.told.into()).await;
    let sent = match http_client(config.allow_redirects, config.verify) {
        Ok(client) => disturbed_or(step, client.execute(job.request)).await,
        Err(problem) => return raised(step.name, problem),
    };
    let response = match sent {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => return fail(step, &error).await,
        Err(ended) => return ended,
    };
    let status = response.status();
    if let Err(ended) = receive(step, config, response).await {
        return ended;
    }
    step.text = Some(vec![
        "Status".to_owned(),
        "code:".to_owned(),
        status.as_u16().to_string(),
    ]);
    Performed::Ended {
        result: if status.as_u16() < 400 {
            Results::Success
        } else {
            Results::Failure
        },
        detail: Vec::new(),
    }
}

/// A request that is to be made.
struct Job {
    request: Request,
    /// What the log says of it.
    told: String,
}

type Texts = Vec<String>;

fn prepare(step: &StepRun<'_>, config: &HttpStepConfig) -> Result<(Job, (Texts, Texts)), String> {
    let values = step.values();
    let wrong = |problem: Unrenderable| problem.to_string();
    let pairs = |pairs: &[(String, Template)], what: &str| {
        let rendered = pairs.iter().map(|(name, value)| {
            let value = put_in(value, values, &format!("{what}, {name}")).map_err(wrong)?;
            Ok((name.clone(), value))
        });
        rendered.collect::<Result<Vec<_>, String>>()
    };
    let address = put_in(&config.url, values, "url").map_err(wrong)?;
    let mut url = Url::parse(&address).map_err(|e| format!("url: {address:?}: {e}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!(
            "url: {address:?} does not begin with http:// or https://"
        ));
    }
    let mut told = format!("{} {address}\n", config.method);
    let params = pairs(&config.params, "params")?;
    if !params.is_empty() {
        url.query_pairs_mut().extend_pairs(&params);
        told.push_str(&listed("Parameters", &params, &[]));
    }
    let method = Method::from_bytes(config.method.as_bytes()).map_err(|e| e.to_string())?;
    let mut request = Request::new(method, url);
    *request.timeout_mut() = Some(config.timeout);
    match &config.data {
        Some(HttpData::Text(text)) => {
            let text = put_in(text, values, "data").map_err(wrong)?;
            told.push_str(&format!("Data:\n{text}\n"));
            *request.body_mut() = Some(text.into());
        }
        Some(HttpData::Form(fields)) => {
            let fields = pairs(fields, "data")?;
            told.push_str(&listed("Data", &fields, &[]));
            let mut form = Url::parse("http://form/").map_err(|e| e.to_string())?;
            form.query_pairs_mut().extend_pairs(&fields);
            *request.body_mut() = Some(form.query().unwrap_or_default().to_owned().into());
            let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
            request.headers_mut().insert("content-type", kind);
        }
        None => {}
    }
    let headers = pairs(&config.headers, "headers")?;
    told.push_str(&listed("Headers", &headers, &config.hide_request_headers));
    for (name, value) in headers {
        let bad = |what: &str| format!("headers, {name}: {what}");
        let name = HeaderName::try_from(&name).map_err(|_| bad("is not a header name"))?;
        let value = HeaderValue::try_from(value).map_err(|_| bad("has control characters"))?;
        request.headers_mut().insert(name, value);
    }
    if let Some((user, password)) = &config.auth {
        let user = put_in(user, values, "auth").map_err(wrong)?;
        let password = put_in(password, values, "auth").map_err(wrong)?;
        told.push_str(&format!("User: {user}\n"));
        let value = base64_of(&format!("{user}:{password}"));
        let mut value =
            HeaderValue::try_from(format!("Basic {value}")).map_err(|e| e.to_string())?;
        value.set_sensitive(true);
        request.headers_mut().insert("authorization", value);
    }
    let command = ShellCommand::Line(config.method.to_owned());
    let doing = describe(step.config, &command, false, values).map_err(wrong)?;
    let done = describe(step.config, &command, true, values).map_err(wrong)?;
    Ok((Job { request, told }, (doing, done)))
}

fn base64_of(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// Names and values, a line each; nothing if there are none.
fn listed(title: &str, pairs: &[(String, String)], hidden: &[String]) -> String {
    let lines = pairs.iter().map(|(name, value)| {
        let is_hidden = hidden.iter().any(|h| h.eq_ignore_ascii_case(name));
        let value = if is_hidden { "<HIDDEN>" } else { value };
        format!("\t{name}: {value}\n")
    });
    match pairs {
        [] => String::new(),
        _ => format!("{title}:\n{}", lines.collect::<String>()),
    }
}

/// Waits for `work`, unless the build is stopped or its slave is lost meanwhile.
async fn disturbed_or<T>(
    step: &mut StepRun<'_>,
    work: impl Future<Output = T>,
) -> Result<T, Performed> {
    let what = tokio::select! {
        biased;
        what = step.controls.pause(FOREVER) => what,
        done = work => return Ok(done),
    };
    Err(match what {
        Paused::Stopped(reason) => {
            step.interrupted = Some(reason);
            Performed::Ended {
                result: Results::Failure,
                detail: Vec::new(),
            }
        }
        Paused::SlaveLost | Paused::Over => Performed::SlaveLost,
    })
}

async fn fail(step: &mut StepRun<'_>, error: &reqwest::Error) -> Performed {
    let note = format!("the request failed: {}\n", error_chain(error));
    step.logs.put((LOG, Channel::Stderr), note.into()).await;
    Performed::Ended {
        result: Results::Failure,
        detail: Vec::new(),
    }
}

/// Puts the response into the logs.
async fn receive(
    step: &mut StepRun<'_>,
    config: &HttpStepConfig,
    mut response: Response,
) -> Result<(), Performed> {
    let status = response.status();
    let channel = match status.as_u16() {
        200 => Channel::Stdout,
        _ => Channel::Stderr,
    };
    let told = format!("URL: {}\n", response.url());
    step.logs.put((LOG, Channel::Stdout), told.into()).await;
    let told = format!("Status: {status}\n");
    step.logs.put((LOG, channel), told.into()).await;
    let headers = shown(response.headers());
    let told = listed("Response headers", &headers, &config.hide_response_headers);
    step.logs.put((LOG, Channel::Header), told.into()).await;
    let mut is_open = false;
    loop {
        let piece: Bytes = match disturbed_or(step, response.chunk()).await? {
            Ok(Some(piece)) => piece,
            Ok(None) => break,
            Err(error) => return Err(fail(step, &error).await),
        };
        if !is_open {
            is_open = true;
            step.logs.add(CONTENT, Bytes::new()).await;
        }
        step.logs.put((CONTENT, Channel::Stdout), piece).await;
    }
    for ((log, channel), data) in step.logs.rest() {
        step.logs.store(channel, &log, data).await;
    }
    Ok(())
}

fn shown(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let pairs = headers
        .iter()
        .map(|(name, value)| (name.to_string(), text(value)));
    pairs.collect()
}

#[cfg(test)]
mod tests;
