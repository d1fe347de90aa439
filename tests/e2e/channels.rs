//! A bot on IRC, at a real server with somebody who talks to it (IRC-01 to IRC-10).

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::harness::{Master, Process, Sandbox, Setup, free_port, run, shell, wait_until};

/// An IRC server; absent if the program is not installed.
fn serve(sandbox: &Sandbox, port: u16) -> Option<Process> {
    let program = ["/usr/sbin/ngircd", "/usr/bin/ngircd"].map(PathBuf::from);
    let Some(program) = program.into_iter().find(|program| program.exists()) else {
        eprintln!("skipped: ngircd is not installed");
        return None;
    };
    let settings = format!(
        "[Global]\nName = irc.test.local\nInfo = test\nListen = 127.0.0.1\nPorts = {port}\n\
         AdminInfo1 = test\n[Limits]\nMaxConnectionsIP = 0\nMaxJoins = 10\nMaxPenaltyTime = 0\n\
         [Options]\nDNS = no\nIdent = no\nPAM = no\n[Channel]\nName = #keyed\nKey = sesame\n\
         Modes = k\n"
    );
    let file = sandbox.file("ngircd.conf", settings);
    let mut command = Command::new(program);
    command.arg("-n").arg("-f").arg(file);
    let server = Process::start("ngircd", &mut command);
    wait_until("the IRC server", || {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    Some(server)
}

/// Somebody in `#dev`.
pub(crate) struct Human {
    stream: BufReader<TcpStream>,
    heard: Vec<String>,
}

impl Human {
    pub(crate) fn join(port: u16, nick: &str) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let mut human = Self {
            stream: BufReader::new(stream),
            heard: Vec::new(),
        };
        human.send(&format!("NICK {nick}\r\nUSER {nick} 0 * :{nick}"));
        human.waits_for(" 001 ");
        human.send("JOIN #dev");
        human.waits_for(" 366 ");
        human
    }

    pub(crate) fn send(&mut self, line: &str) {
        let stream = self.stream.get_mut();
        stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
    }

    pub(crate) fn says(&mut self, text: &str) {
        self.send(&format!("PRIVMSG #dev :{text}"));
    }

    /// Reads up to a line with this text.
    pub(crate) fn waits_for(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.stream.read_line(&mut line).unwrap_or(0);
            assert!(read > 0, "no {text:?} in {:#?}", self.heard);
            if let Some(rest) = line.strip_prefix("PING ") {
                self.send(&format!("PONG {}", rest.trim_end()));
            }
            self.heard.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    /// How often it has heard a text, after everything that was said before is heard.
    fn count(&mut self, text: &str) -> usize {
        self.says("bb: help version");
        self.waits_for("usage: version");
        self.heard.iter().filter(|line| line.contains(text)).count()
    }
}

struct Scene<'a> {
    sandbox: &'a Sandbox,
    master: Master<'a>,
    port: u16,
    mails: PathBuf,
    /// Where the step runs.
    work: PathBuf,
    server: Process,
}

impl<'a> Scene<'a> {
    fn prepare(sandbox: &'a Sandbox, lines: &str) -> Option<Self> {
        Self::with_step(sandbox, lines, "true")
    }

    /// With a step that runs this line in a directory of its own.
    fn with_step(sandbox: &'a Sandbox, lines: &str, step: &str) -> Option<Self> {
        let port = free_port();
        let server = serve(sandbox, port)?;
        let mails = sandbox.private_dir("mails");
        let take = format!("cat > {}/$$.mail", mails.display());
        let target = format!(
            "[[status]]\ntype = \"IRC\"\nhost = \"127.0.0.1\"\nport = {port}\ntls = false\n\
             nick = \"bb\"\nchannels = [\"#dev\", {{ name = \"#keyed\", key = \"sesame\" }}]\n\
             lost_delay = \"1s\"\nfailed_delay = \"1s\"\n{lines}\n\
             [people.ann]\nemail = [\"ann@example.org\"]\n\
             [[permissions]]\nwho = [\"ann\"]\nmay = [\"force\"]\n\
             [[permissions]]\nwho = [\"anyone\"]\nmay = [\"view\"]\n"
        );
        let work = sandbox.private_dir("work");
        let step = format!("cd {} && {{ {step}; }}", work.display());
        let setup = Setup::new(&[shell("make", &step, "")])
            .local_slave("bot")
            .settings(&format!("mail_command = [\"sh\", \"-c\", {take:?}]\n"))
            .tables(&target);
        Some(Self {
            sandbox,
            master: Master::prepare(sandbox, &setup),
            port,
            mails,
            work,
            server,
        })
    }

    /// Makes the file that the step does not like.
    fn break_build(&self) {
        fs::write(self.work.join("broken"), "").unwrap();
    }

    /// Runs the master until its bot is in the channel, where somebody is already.
    fn run(&mut self, human: &mut Human) {
        self.master.run();
        self.master.wait_until_attached("bot");
        human.waits_for(" JOIN :#dev");
    }

    /// The code that was mailed to ann.
    fn code(&self) -> String {
        let find = || {
            let files = fs::read_dir(&self.mails).unwrap();
            let mut texts = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
            texts.find_map(|text| {
                let (_, rest) = text.split_once("i am ann ")?;
                rest.split_whitespace().next().map(str::to_owned)
            })
        };
        wait_until("the mail with the code", || find().is_some());
        find().unwrap()
    }

    fn outbox(&self) -> String {
        let mut command = self.master.program();
        command.args(["outbox", "list", "--all", "--basedir"]);
        command.arg(self.master.dir());
        run(&mut command).ok()
    }
}

#[test]
fn irc_02_irc_05_irc_06_somebody_asks_and_forces_with_the_right_to_do_so() {
    let sandbox = Sandbox::new();
    let Some(mut scene) = Scene::prepare(&sandbox, "") else {
        return;
    };
    let mut ann = Human::join(scene.port, "ann");
    scene.run(&mut ann);
    ann.says("bb: version");
    ann.waits_for(&format!("buildmaster {}", env!("CARGO_PKG_VERSION")));
    ann.says("BB, list builders");
    ann.waits_for("builders: full");
    ann.says("bb: status full");
    ann.waits_for("full: idle");
    ann.says("bb: force build full because");
    ann.waits_for("may not force");
    assert!(scene.master.build("full", 0).is_none());
    ann.says("bb: i am user ann");
    ann.waits_for("ann can be found as ann");
    let code = scene.code();
    assert_eq!(code.len(), 6, "{code}");
    assert!(!scene.outbox().contains(&code));
    ann.send("PRIVMSG bb :i am ann WRONGX");
    ann.waits_for("that is not the code");
    ann.send(&format!("PRIVMSG bb :i am ann {code}"));
    ann.waits_for("ann is ann as long as");
    ann.says("bb: force build --branch=rel full because of this");
    ann.waits_for("build 0 of full forced");
    ann.waits_for("I will tell you when it ends");
    ann.waits_for("build 0 of full ended");
    ann.waits_for("details: ");
    let build = scene.master.finished_build("full", 0);
    assert!(
        build
            .reason
            .is_some_and(|reason| reason.contains("because of this"))
    );
    ann.says("bb: last full");
    ann.waits_for("last build 0 ended");
    // Who comes back with the same nick is not known.
    ann.send("PART #dev");
    ann.waits_for("PART #dev");
    ann.send("JOIN #dev");
    ann.waits_for(" 366 ");
    ann.says("bb: force build full again");
    ann.waits_for("may not force");
    ann.send("PRIVMSG bb :\u{1}VERSION\u{1}");
    ann.waits_for("NOTICE ann :\u{1}VERSION buildmaster");
}

#[test]
fn esc_08_somebody_who_is_there_is_told_of_problems_in_private_too() {
    let sandbox = Sandbox::new();
    let mailer = "problems = true\n[[status]]\ntype = \"MailNotifier\"\n\
                  from = \"ci@example.org\"\nmode = []\nproblems = true\n\
                  lookup = \"example.org\"\nvia = [\"true\"]\n\
                  [problems]\ngather = \"0s\"\npause = \"0s\"\n\
                  [people.alice]\nirc = \"ann\"\nnotify = \"irc, mail\"\n";
    let Some(mut scene) = Scene::with_step(&sandbox, mailer, "test ! -e broken || exit 1") else {
        return;
    };
    let mut ann = Human::join(scene.port, "ann");
    scene.run(&mut ann);
    // Who has said nothing is not known to be there.
    ann.says("bb: version");
    ann.waits_for("buildmaster ");
    scene.master.send_change("r1");
    assert_eq!(scene.master.finished_build("full", 0).number, 0);
    scene.break_build();
    scene.master.send_change("r2");
    let line = ann.waits_for("full: make fails now.");
    assert!(line.contains(" PRIVMSG ann :"), "{line}");
    assert!(line.contains("/problems/1"), "{line}");
    wait_until("the letters are delivered", || {
        let letters = scene.outbox();
        letters.matches("problem 1: make").count() == 2 && !letters.contains("waiting")
    });
}

#[test]
fn irc_02_what_a_channel_asked_for_survives_a_kill_of_the_master() {
    let sandbox = Sandbox::new();
    let gate = sandbox.gate("gate");
    let Some(mut scene) = Scene::with_step(&sandbox, "use_colors = false", &gate.command()) else {
        return;
    };
    let mut ann = Human::join(scene.port, "ann");
    scene.run(&mut ann);
    scene.master.send_change("r1");
    gate.wait_until_reached(1);
    ann.says("bb: notify on finished");
    ann.waits_for("told here: finished");
    ann.says("bb: watch full");
    ann.waits_for("watching build 0 of full");
    scene.master.kill();
    gate.open();
    scene.run(&mut ann);
    // The build that was watched has ended with the master.
    ann.waits_for("build 0 of full ended: retry");
    ann.waits_for("build 1 of full ended: success");
    ann.says("bb: notify list");
    ann.waits_for("told here: finished");
    // It is told once, also after another restart.
    scene.master.kill();
    scene.run(&mut ann);
    assert_eq!(ann.count("build 0 of full ended"), 1);
}

#[test]
fn irc_10_announcements_survive_the_server_and_a_kill_and_come_once() {
    let sandbox = Sandbox::new();
    let events = "notify_events = [\"finished\"]\nuse_colors = false\ntemplate = \"irc\"";
    let Some(mut scene) = Scene::prepare(&sandbox, events) else {
        return;
    };
    let templates = scene.master.dir().join("templates");
    fs::create_dir(&templates).unwrap();
    let text = "build {{ build.number }} of {{ builder.name }} ended: {{ build.result }}\n\
                see {{ links.build }}\n";
    fs::write(templates.join("irc.j2"), text).unwrap();
    let mut ann = Human::join(scene.port, "ann");
    scene.run(&mut ann);
    scene.master.send_change("r1");
    ann.waits_for("build 0 of full ended: success");
    ann.waits_for("see http://localhost/builders/full/builds/0");
    assert_eq!(ann.count("build 0 of full ended"), 1);
    // The server is gone while a build ends, and then the master is killed.
    scene.server.kill();
    scene.master.send_change("r2");
    scene.master.finished_build("full", 1);
    wait_until("the letter", || {
        scene.outbox().contains("build full/1 ended")
    });
    scene.master.kill();
    scene.server = serve(scene.sandbox, scene.port).unwrap();
    let mut ann = Human::join(scene.port, "ann");
    scene.run(&mut ann);
    ann.waits_for("build 1 of full ended: success");
    scene.master.send_change("r3");
    ann.waits_for("build 2 of full ended: success");
    assert_eq!(ann.count("build 1 of full ended"), 1);
    assert_eq!(ann.count("build 0 of full ended"), 0);
    wait_until("all letters are delivered", || {
        !scene.outbox().contains("waiting")
    });
}

#[test]
fn msg_05_a_preview_has_what_a_bot_on_irc_would_say() {
    let sandbox = Sandbox::new();
    let tables = format!(
        "[[status]]\ntype = \"IRC\"\nhost = \"127.0.0.1\"\nport = {}\ntls = false\nnick = \"bb\"\n\
         channels = [\"#widget\"]\npm_to_nicks = [\"ann_\"]\nnotify_events = [\"failure\"]\n\
         notice_on_channel = true\nproblems = true\n\
         use_colors = false\nshow_blame_list = false\n\
         [problems]\ngather = \"0s\"\n",
        free_port()
    );
    let broken = sandbox.path("broken");
    let line = format!("test ! -e {}", broken.display());
    let setup = Setup::new(&[shell("make", &line, "")])
        .local_slave("here")
        .tables(&tables);
    let master = Master::start(&sandbox, &setup);
    master.send_change("r1");
    master.finished_build("full", 0);
    let preview = |words: &[&str]| {
        let mut command = master.program();
        command.arg("preview").args(words).arg("--basedir");
        run(command.arg(master.dir())).ok()
    };
    let good = preview(&["build"]);
    assert!(good.contains("(Nothing is said: no channel"), "{good}");
    fs::write(&broken, "").unwrap();
    master.send_change("r2");
    master.finished_build("full", 1);
    let bad = preview(&["build"]);
    for part in [
        "=== IRC: build full/1 ended with failure\n",
        "NOTICE #widget :build 1 of full ended: failure [failed make]\n",
        "PRIVMSG ann_ :build 1 of full ended: failure [failed make]\n",
    ] {
        assert!(bad.contains(part), "{part}: {bad}");
    }
    let problem = preview(&["problem", "--to", "ann"]);
    assert!(
        problem.contains("(It is said only while ann is likely to see it.)\nPRIVMSG ann :"),
        "{problem}"
    );
}
