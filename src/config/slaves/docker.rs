//! `type = "docker"`: a latent slave whose instance is a container (LAT-11).

use serde::Serialize;

use super::without_instances;
use crate::config::programs;
use crate::config::reader::{Table, Value};
use crate::config::secret::Secret;

/// Settings of an instance that is a container.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DockerInstance {
    /// The slave's password.
    pub password: Secret,
    /// The program `docker`.
    pub docker: String,
    /// The image.
    pub image: String,
    /// Further arguments of `docker run`, before the image (`docker_args`).
    #[serde(rename = "docker_args")]
    pub args: Vec<String>,
    /// What runs in the container, if not what the image says.
    pub command: Vec<String>,
}

/// The keys that only these slaves have.
pub(super) const KEYS: &[&str] = &["master", "image", "docker", "docker_args", "command"];

impl Default for DockerInstance {
    fn default() -> Self {
        Self {
            password: Secret::default(),
            docker: "docker".to_owned(),
            image: String::new(),
            args: Vec::new(),
            command: Vec::new(),
        }
    }
}

impl DockerInstance {
    /// Takes what the table has of the slave called `name`.
    pub(super) fn read(&mut self, table: &mut Table<'_>, name: Option<&str>) {
        table.set_password(&mut self.password);
        table.set("docker", &mut self.docker, |v| v.name().map(str::to_owned));
        if let Some(image) = table.require("image", "\"IMAGE\"") {
            programs::needs_program(&image, &self.docker, &without_instances(&image));
            self.image = not_an_option(&image).unwrap_or_default();
        }
        table.set("docker_args", &mut self.args, programs::words);
        table.set("command", &mut self.command, programs::words);
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if let Some(name) = name
            && !name.chars().all(fits)
        {
            let message = format!("{} cannot be a container", table.label);
            let help = "containers are named after their slaves: letters, digits, `_`, `.` and `-`";
            table.sink.error(table.span.clone(), message, help);
        }
    }
}

/// A name that a program cannot take for an option.
fn not_an_option(value: &Value<'_>) -> Option<String> {
    let name = value.name()?;
    if name.starts_with('-') {
        value.error(
            "cannot begin with `-`",
            "docker would take it for an option",
        );
        return None;
    }
    Some(name.to_owned())
}
