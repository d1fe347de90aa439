//! People who are not meant to be here, and what the slaves notice of them: nothing.

use std::thread;

use crate::harness::client::{Client, Refused};
use crate::harness::{Master, Sandbox, Setup, Slave, shell, wait_until};

#[test]
fn guessing_keeps_no_slave_out_right_after_a_restart() {
    let sandbox = Sandbox::new();
    let mut master = Master::start(&sandbox, &one_step().slave("bot"));
    let port = master.port();
    let _slave = Slave::native(&sandbox, "bot", port);
    master.wait_until_attached("bot");
    master.kill();

    master.run();
    // They end with the master.
    for _ in 0..40 {
        thread::spawn(move || while guess(port).is_some() {});
    }
    let mut rejected = || master.process().printed().matches("login failed").count();
    wait_until("failed guesses", || rejected() > 5);

    master.wait_until_attached("bot");
}

/// One guess at the password of `bot`; nothing if the master is gone.
fn guess(port: u16) -> Option<()> {
    let mut client = Client::connect(port).ok()?;
    match client.login_as_slave("bot", "guess") {
        Ok(_) => panic!("the password is another"),
        Err(Refused::Failure(_) | Refused::Lost(_)) => Some(()),
    }
}

fn one_step() -> Setup {
    Setup::new(&[shell("true", "true", "")])
}
