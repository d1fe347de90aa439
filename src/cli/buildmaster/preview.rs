//! `buildmaster preview`: what would be sent, and to whom (MSG-05).

use std::process::ExitCode;

use anyhow::{anyhow, bail};
use clap::ValueEnum;

use super::base_dir::Master;
use super::configuration::{Scope, Source, Tell};
use super::{USAGE, write_out};
use crate::clock::Clock;
use crate::model::{BuildNumber, BuilderName};
use crate::status::outbox::{Preview, PreviewKind};
use crate::text::printable_lines;

/// Show what status targets would send, and to whom, and send nothing
///
/// The configuration file and the templates are read as they are now, so this also tries out what a
/// running master does not have yet.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct PreviewArgs {
    #[command(flatten)]
    master: Master,
    /// What the letters are about
    #[arg(value_enum)]
    kind: Kind,
    /// The build [default: the newest that has ended]; for problems, only those of its builder
    #[arg(long, value_name = "BUILDER/NUMBER", value_parser = parse_build)]
    build: Option<(BuilderName, BuildNumber)>,
    /// The person to whom the letters would go [default: all who would get them]
    #[arg(long, value_name = "PERSON")]
    to: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// A build has ended
    Build,
    /// A build set has ended
    Set,
    /// Problems are open
    Problem,
    /// A slave is missing
    MissingSlave,
}

impl PreviewArgs {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let source = Source::of(&self.master.basedir);
        let Some(config) = source.load(Scope::File, Tell::Errors)? else {
            return Ok(ExitCode::from(USAGE));
        };
        let preview = Preview {
            kind: match self.kind {
                Kind::Build => PreviewKind::Build,
                Kind::Set => PreviewKind::BuildSet,
                Kind::Problem => PreviewKind::Problem,
                Kind::MissingSlave => PreviewKind::MissingSlave,
            },
            build: self.build,
            to: self.to,
            now: Clock::system().wall(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let shown = runtime.block_on(preview.show(&self.master.basedir, config));
        let shown = match shown {
            Ok(shown) => shown,
            Err(why) => bail!("{why}"),
        };
        let shown = printable_lines(&shown.join("\n"));
        write_out(|out| out.write_all(shown.as_bytes()))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn parse_build(text: &str) -> anyhow::Result<(BuilderName, BuildNumber)> {
    let parts = text.rsplit_once('/');
    let number = parts.and_then(|(builder, number)| Some((builder, number.parse().ok()?)));
    let (builder, number) = number.ok_or_else(|| anyhow!("write BUILDER/NUMBER"))?;
    Ok((builder.into(), BuildNumber(number)))
}
