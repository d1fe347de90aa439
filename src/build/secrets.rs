//! The secrets of a build: where they come from, and what hides them (CFL-95, LOG-06).
//!
//! They are read anew when a step starts that names them, so that a changed file counts at once.
//! What a step knew stays hidden until the build ends.

use std::ffi::OsString;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::mask::Masks;
use crate::config::{BuilderConfig, SecretSource};
use crate::process::{Environment, Limits, Output, Program, Whole, run};

/// The environment of the master, without what is a secret of this builder in it.
pub(super) fn own_environment(builder: &BuilderConfig) -> Environment {
    let mut environment: Environment = std::env::vars_os().collect();
    let of_steps = builder.factory.steps.iter().flat_map(|s| &s.secrets);
    for secret in builder.secrets.iter().chain(of_steps) {
        if let SecretSource::Env(name) = secret {
            environment.remove(&OsString::from(name));
        }
    }
    environment
}

/// A longer secret is an error.
const LONGEST: usize = 64 * 1024;

/// The time in which a program has to write a secret.
const TIME: Duration = Duration::from_secs(30);

/// The secrets of a build.
#[derive(Clone, Debug, Default)]
pub(super) struct Secrets {
    known: Vec<(SecretSource, Hidden)>,
    masks: Arc<Masks>,
}

#[derive(Clone)]
struct Hidden(String);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl Secrets {
    /// The secret of this source, if it is known.
    pub(super) fn get(&self, source: &SecretSource) -> Option<&str> {
        let found = self.known.iter().find(|(known, _)| known == source);
        found.map(|(_, secret)| secret.0.as_str())
    }

    /// What hides the secrets that are known so far.
    pub(super) const fn masks(&self) -> &Arc<Masks> {
        &self.masks
    }

    /// Takes the secret of a source, and hides it from now on.
    pub(super) fn learn(&mut self, source: &SecretSource, secret: String) {
        Arc::make_mut(&mut self.masks).hide(&secret);
        self.known.retain(|(known, _)| known != source);
        self.known.push((source.clone(), Hidden(secret)));
    }
}

/// Gets the secret of a source outside of the configuration; nothing for one inside.
///
/// # Errors
/// It cannot be read, is empty, too long, or no text.
pub(super) async fn obtain(source: &SecretSource) -> Result<Option<String>, String> {
    let bytes = match source {
        SecretSource::Inline(_) => return Ok(None),
        SecretSource::File(path) => {
            let read = read_file(path);
            read.map_err(|e| format!("cannot read the file {}: {e}", path.display()))?
        }
        SecretSource::Env(name) => match std::env::var(name) {
            Ok(secret) => secret.into_bytes(),
            Err(_) => return Err(format!("the environment variable {name} is not set")),
        },
        SecretSource::Command(words) => run_program(words).await?,
    };
    if bytes.len() > LONGEST {
        return Err(format!("the {source} has more than {LONGEST} bytes"));
    }
    let Ok(mut secret) = String::from_utf8(bytes) else {
        return Err(format!("the {source} is not UTF-8"));
    };
    if secret.ends_with('\n') {
        secret.pop();
    }
    if secret.is_empty() {
        return Err(format!("the {source} is empty"));
    }
    Ok(Some(secret))
}

fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(LONGEST).unwrap_or(u64::MAX).saturating_add(1);
    std::fs::File::open(path)?
        .take(limit)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

async fn run_program(words: &[String]) -> Result<Vec<u8>, String> {
    let mut output = Whole::up_to(LONGEST);
    let limits = Limits {
        time: Some(TIME),
        ..Limits::default()
    };
    let name = words.first().map_or("", String::as_str);
    let program = Program::new(words);
    let output_to = Output::To(&mut output);
    let ended = run(&program, None, output_to, Output::Discarded, limits).await;
    let ended = ended.map_err(|e| format!("the program {name} of a secret cannot run: {e}"))?;
    if !ended.how.is_success() {
        return Err(format!("the program {name} of a secret {}", ended.how));
    }
    Ok(output.bytes)
}
