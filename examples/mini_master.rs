//! A small master: waits for a slave, runs one command on the slave and prints the output.
//!
//! Run `cargo run --example mini_master -- 9989 s1 secret 'echo hello'`, then connect a
//! `buildslave` or `buildbot-worker` named `s1` with the password `secret` to port 9989.

#![expect(clippy::print_stdout, reason = "the point of the example")]

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use buildmaster::config::Listen;
use buildmaster::model::{BuildId, CommandId, SlaveName};
use buildmaster::net::CommandEvent;
use buildmaster::net::slave::SlaveHandle;
use buildmaster::net::{Directory, Door, Gatekeeper, Tasks, UserKind, listen};
use buildmaster::protocol::{CommandArgs, ShellArgs, ShellCommand};
use tokio::sync::mpsc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt::init();
    let mut args = std::env::args().skip(1);
    let mut arg = |what: &str| args.next().with_context(|| format!("no {what} given"));
    let (port, name, password, line) = (
        arg("port")?.parse()?,
        arg("name")?,
        arg("password")?,
        arg("command")?,
    );

    let slave = UserKind::Slave(SlaveName::from(name.as_str()));
    let mut directory = Directory::new();
    directory.insert(&name, password.as_bytes(), slave);
    let (logins_in, mut logins) = mpsc::channel(16);
    let tasks = Tasks::default();
    let door = Door::new(directory, logins_in, Gatekeeper::new(&[]), tasks.clone());
    let address = Listen::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    listen::listen(&[address], &door, &tasks)?;

    let login = logins.recv().await.context("the door is closed")?;
    let bot = login.mind.context("a slave without a bot")?;
    let slave = SlaveHandle::greet(SlaveName::from(name), login.peer, bot).await?;
    println!("version {:?}", slave.info.texts.get("version"));
    let builders = slave
        .set_builder_list(&[("b".into(), "b".to_owned())])
        .await?;
    let (_, builder) = builders.first().context("a slave without a builder")?;
    builder.set_master().await?;
    builder.print("attached").await?;
    let (avatar, _calls) = slave.peer.export(16);
    login.answer.accept(avatar);

    builder.print("ping").await?;
    builder.start_build().await?;
    let shell = ShellArgs {
        timeout: Some(60.0),
        log_environ: false,
        ..ShellArgs::new(ShellCommand::Line(line), "build".to_owned())
    };
    let id = CommandId {
        build: BuildId(1),
        step: 0,
        ordinal: 0,
    };
    let mut command = builder.start_command(id, &CommandArgs::Shell(Box::new(shell)), None);
    while let Some(event) = command.events.recv().await {
        match event {
            CommandEvent::Updates(updates, _acknowledged_when_dropped) => println!("{updates:?}"),
            CommandEvent::Ended(end) => println!("{end:?}"),
        }
    }
    slave.shutdown().await;
    tasks.stop();
    tasks.finished().await;
    Ok(())
}
