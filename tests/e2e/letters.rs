//! Mail about builds, taken by a real mail server (MAL-01 to MAL-14, OUT-18).

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::{
    Master, Process, Sandbox, Setup, free_port, from_pypi, run, shell, wait_until,
};

/// A master that mails about builds which fail while the file `broken` is there, and a mail server.
pub(crate) struct Scene<'a> {
    sandbox: &'a Sandbox,
    pub(crate) master: Master<'a>,
    python: PathBuf,
    port: u16,
    dir: PathBuf,
}

impl<'a> Scene<'a> {
    /// Absent where the mail server cannot be had.
    pub(crate) fn prepare(sandbox: &'a Sandbox, lines: &str) -> Option<Self> {
        Self::with_schedulers(sandbox, lines, None)
    }

    fn with_schedulers(
        sandbox: &'a Sandbox,
        lines: &str,
        schedulers: Option<&str>,
    ) -> Option<Self> {
        let python = from_pypi("mail", "python")?;
        let dir = sandbox.private_dir("mails");
        let port = free_port();
        let broken = dir.join("broken");
        let test = format!("echo tested '<b>'; test ! -e {}", broken.display());
        let target = format!(
            "[[status]]\ntype = \"MailNotifier\"\nfrom = \"CI <ci@example.org>\"\n\
             relayhost = \"127.0.0.1\"\nsmtp_port = {port}\nlookup = \"example.org\"\n{lines}\n"
        );
        let setup = Setup::new(&[shell("test", &test, "")])
            .local_slave("here")
            .builder("full", "tags = [\"release\"]")
            .tables(&target);
        let setup = match schedulers {
            Some(schedulers) => setup.schedulers(schedulers),
            None => setup,
        };
        let mut master = Master::prepare(sandbox, &setup);
        master.run();
        Some(Self {
            sandbox,
            master,
            python,
            port,
            dir,
        })
    }

    pub(crate) fn serve(&self) -> Process {
        self.serve_with(&[])
    }

    /// A mail server with further arguments.
    fn serve_with(&self, words: &[&str]) -> Process {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mail_server.py");
        let mut command = self.sandbox.command(&self.python);
        command
            .arg(script)
            .arg(self.port.to_string())
            .arg(&self.dir)
            .args(words);
        let server = Process::start("mail server", &mut command);
        wait_until("the mail server", || server.printed().contains("ready"));
        server
    }

    /// Replaces a part of the configuration of the running master.
    fn reconfigure(&self, old: &str, new: &str) {
        let path = self.master.dir().join("master.toml");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(old), "{text}");
        fs::write(&path, text.replace(old, new)).unwrap();
        let mut command = self.master.program();
        command.arg("reconfig").arg(self.master.dir());
        run(&mut command).ok();
    }

    pub(crate) fn build(&self, number: u64, is_broken: bool) {
        let broken = self.dir.join("broken");
        match is_broken {
            true => fs::write(broken, "").unwrap(),
            false => drop(fs::remove_file(broken)),
        }
        self.master.send_change(&format!("r{number}"));
        let build = self.master.finished_build("full", number);
        let expected = if is_broken { "failure" } else { "success" };
        assert_eq!(build.result.as_deref(), Some(expected));
    }

    fn outbox(&self, words: &[&str]) -> String {
        let mut command = self.master.program();
        command
            .arg("outbox")
            .args(words)
            .arg("--basedir")
            .arg(self.master.dir());
        run(&mut command).ok()
    }

    /// All letters, the oldest first.
    fn letters(&self) -> Vec<Value> {
        let listed = self.outbox(&["--all", "--json"]);
        listed
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    pub(crate) fn wait_for_states(&self, expected: &[&str]) {
        wait_until("the letters", || {
            let letters = self.letters();
            letters.len() == expected.len()
                && letters
                    .iter()
                    .zip(expected)
                    .all(|(letter, state)| letter["state"] == **state)
        });
    }

    pub(crate) fn mails(&self) -> Vec<Value> {
        let mails = (1..).map(|number| self.dir.join(format!("{number}.json")));
        let mails = mails.map_while(|path| fs::read_to_string(path).ok());
        mails
            .map(|text| serde_json::from_str(&text).unwrap())
            .collect()
    }
}

#[test]
fn mal_09_mal_14_mail_about_builds_survives_a_kill_and_comes_once_with_its_headers() {
    let sandbox = Sandbox::new();
    let lines = "mode = \"change\"\nextra_recipients = [\"list@example.org\"]\nhtml = true\n\
                 add_logs = [\"stdio\"]\nextra_headers = { X-Team = \"core\" }";
    let Some(mut scene) = Scene::prepare(&sandbox, lines) else {
        return;
    };
    // Nobody listens yet.
    scene.build(0, false);
    scene.build(1, true);
    scene.build(2, true);
    scene.build(3, false);
    wait_until("an attempt", || {
        let letters = scene.letters();
        letters.len() == 2 && letters[0]["tries"].as_u64() > Some(0)
    });
    assert!(
        scene.letters()[0]["error"]
            .as_str()
            .unwrap()
            .contains("cannot reach")
    );
    scene.master.kill();
    let server = scene.serve();
    scene.master.run();
    scene.outbox(&["retry", "--target", "MailNotifier"]);
    scene.wait_for_states(&["delivered", "delivered"]);
    scene.master.kill();
    scene.master.run();
    scene.build(4, true);
    scene.wait_for_states(&["delivered"; 3]);
    drop(server);

    let mails = scene.mails();
    assert_eq!(mails.len(), 3, "{mails:?}");
    let header = |mail: &Value, name: &str| mail["headers"][name].as_str().map(str::to_owned);
    let ids: Vec<_> = mails
        .iter()
        .map(|mail| header(mail, "Message-ID"))
        .collect();
    assert!(ids[0] != ids[1] && ids[1] != ids[2], "{ids:?}");
    let failed = &mails[0];
    assert_eq!(failed["defects"].as_array().unwrap().len(), 0, "{failed}");
    assert_eq!(failed["from"], "ci@example.org");
    assert_eq!(failed["to"][0], "alice@example.org");
    assert_eq!(failed["to"][1], "list@example.org");
    for (name, value) in [
        ("Subject", "buildbot failure in End to end on full"),
        ("From", "CI <ci@example.org>"),
        ("To", "alice@example.org"),
        ("Cc", "list@example.org"),
        ("Auto-Submitted", "auto-generated"),
        ("Precedence", "bulk"),
        ("List-Id", "buildmaster <buildmaster.example.org>"),
        ("X-Buildmaster-Builder", "full"),
        ("X-Buildmaster-Result", "failure"),
        ("X-Buildmaster-Judgement", "new"),
        ("X-Team", "core"),
    ] {
        assert_eq!(header(failed, name).as_deref(), Some(value), "{name}");
    }
    let text = failed["text"].as_str().unwrap();
    assert!(
        text.starts_with("A new failure: builder full of End to end"),
        "{text}"
    );
    assert!(
        text.contains("http://localhost/builders/full/builds/1"),
        "{text}"
    );
    assert!(text.contains("Blamelist: alice\n"), "{text}");
    assert!(text.contains("    tested <b>\n"), "{text}");
    let html = failed["html"].as_str().unwrap();
    assert!(html.contains("tested &lt;b&gt;"), "{html}");
    assert_eq!(failed["attachments"][0][0], "test.stdio");
    let fixed = mails[1]["text"].as_str().unwrap();
    assert!(
        fixed.starts_with("Builder full of End to end is restored."),
        "{fixed}"
    );
}

#[test]
fn mal_10_a_refused_recipient_does_not_keep_the_mail_from_the_others() {
    let sandbox = Sandbox::new();
    let lines = "extra_recipients = [\"refused@example.org\", \"later@example.org\"]";
    let Some(scene) = Scene::prepare(&sandbox, lines) else {
        return;
    };
    let _server = scene.serve();
    fs::write(scene.dir.join("later"), "").unwrap();
    scene.build(0, false);
    wait_until("an attempt", || scene.letters()[0]["tries"] == 1);
    // Nobody got it, so that nobody gets it twice.
    assert_eq!(scene.mails().len(), 0);
    fs::remove_file(scene.dir.join("later")).unwrap();
    scene.outbox(&["retry", "--target", "MailNotifier"]);
    scene.wait_for_states(&["delivered"]);
    let error = scene.letters()[0]["error"].as_str().unwrap().to_owned();
    assert!(error.starts_with("refused@example.org: "), "{error}");
    let mails = scene.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0]["to"].as_array().unwrap().len(), 2, "{}", mails[0]);
}

#[test]
fn mal_10_out_15_mail_leaves_by_tls_with_a_login_that_the_state_does_not_have() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls");
    let pem = data.join("server.pem").display().to_string();
    let authority = data.join("ca.pem").display().to_string();
    for tls in ["starttls", "implicit"] {
        let sandbox = Sandbox::new();
        let lines = format!(
            "tls = {tls:?}\nca_file = {authority:?}\nsmtp_user = \"ci\"\n\
             smtp_password = \"sesame-old\""
        );
        let Some(scene) = Scene::prepare(&sandbox, &lines) else {
            return;
        };
        let _server = scene.serve_with(&[tls, &pem, "ci:sesame-new"]);
        scene.build(0, false);
        let failed_with = |text: &str| {
            wait_until(text, || {
                scene.outbox(&["retry", "--target", "MailNotifier"]);
                let error = scene.letters()[0]["error"].as_str().map(str::to_owned);
                error.is_some_and(|error| error.contains(text))
            });
        };
        // The certificate is of `localhost`, and the name of the server is checked.
        failed_with("cannot ");
        scene.reconfigure("\"127.0.0.1\"\nsmtp_port", "\"localhost\"\nsmtp_port");
        failed_with("cannot log in at localhost");
        assert_eq!(scene.letters()[0]["state"], "waiting");
        scene.reconfigure("\"sesame-old\"", "\"sesame-new\"");
        scene.outbox(&["retry", "--target", "MailNotifier"]);
        scene.wait_for_states(&["delivered"]);
        let mail = &scene.mails()[0];
        assert_eq!(mail["is_encrypted"], true, "{mail}");
        assert_eq!(mail["login"], "ci:sesame-new", "{mail}");
        assert!(!scene.master.state_has("sesame"));
        assert!(scene.master.state_has("cannot log in at localhost"));
    }
}

#[test]
fn msg_03_msg_05_templates_are_read_with_the_configuration_and_tried_out_by_a_preview() {
    let sandbox = Sandbox::new();
    let Some(scene) = Scene::prepare(&sandbox, "template = \"short\"") else {
        return;
    };
    let _server = scene.serve();
    let templates = scene.master.dir().join("templates");
    fs::create_dir(&templates).unwrap();
    fs::write(
        templates.join("short.j2"),
        "{{ builder.name }}: {{ opening }}",
    )
    .unwrap();
    scene.build(0, false);
    scene.wait_for_states(&["delivered"]);
    let text = scene.mails()[0]["text"].as_str().unwrap().to_owned();
    assert!(text.contains("[The template failed: "), "{text}");
    // The template that is there now is in force with the configuration.
    scene.reconfigure("End to end", "End to end");
    scene.build(1, true);
    scene.wait_for_states(&["delivered"; 2]);
    let text = scene.mails()[1]["text"].as_str().unwrap().to_owned();
    assert_eq!(text.trim_end(), "full: failed");

    let preview = |words: &[&str]| {
        let mut command = scene.master.program();
        command
            .arg("preview")
            .args(words)
            .arg("--basedir")
            .arg(scene.master.dir());
        run(&mut command)
    };
    let newest = preview(&["build"]).ok();
    for part in [
        "=== MailNotifier: build full/1 ended with failure\n",
        "\nTo: alice@example.org\n",
        "\nSubject: buildbot failure in End to end on full\n",
        "\nX-Buildmaster-Judgement: new\n",
        "\nfull: failed\n",
    ] {
        assert!(newest.contains(part), "{part}: {newest}");
    }
    let first = preview(&["build", "--build", "full/0", "--to", "bob"]).ok();
    assert!(first.contains("\nTo: bob@example.org\n"), "{first}");
    assert!(first.contains("\nfull: passing\n"), "{first}");
    let none = preview(&["build", "--build", "full/7"]).fails_with(1);
    assert!(none.contains("no build full/7 has ended"), "{none}");
    let none = preview(&["problem"]).fails_with(1);
    assert!(none.contains("no status target would be told"), "{none}");
    assert_eq!((scene.letters().len(), scene.mails().len()), (2, 2));
}

#[test]
fn mal_05_each_recipient_has_a_mail_alone_whatever_becomes_of_the_others() {
    let sandbox = Sandbox::new();
    let lines = "together = false\n\
                 extra_recipients = [\"refused@example.org\", \"later@example.org\"]";
    let Some(mut scene) = Scene::prepare(&sandbox, lines) else {
        return;
    };
    let _server = scene.serve();
    fs::write(scene.dir.join("later"), "").unwrap();
    scene.build(0, false);
    scene.wait_for_states(&["dropped", "delivered", "dead", "waiting"]);
    wait_until("an attempt", || scene.letters()[3]["tries"] == 1);
    scene.master.kill();
    fs::remove_file(scene.dir.join("later")).unwrap();
    scene.master.run();
    scene.outbox(&["retry", "4"]);
    scene.wait_for_states(&["dropped", "delivered", "dead", "delivered"]);
    let mails = scene.mails();
    let to: Vec<_> = mails.iter().map(|mail| &mail["to"]).collect();
    assert_eq!(
        serde_json::json!(to),
        serde_json::json!([["alice@example.org"], ["later@example.org"]])
    );
    let about = scene.letters()[3]["about"].as_str().unwrap().to_owned();
    assert_eq!(
        about,
        "build full/0 ended with success, to later@example.org"
    );
}

/// Exim of Debian takes a mail and puts it into a maildir.
#[test]
fn mal_10_a_mail_server_of_debian_takes_and_delivers_mail() {
    let sandbox = Sandbox::new();
    let exim = Path::new("/usr/sbin/exim4");
    if !exim.exists() || !rustix::process::geteuid().is_root() {
        eprintln!("skipped: exim4 is not installed, or cannot be run by this user");
        return;
    }
    let Some(scene) = Scene::prepare(&sandbox, "html = true") else {
        return;
    };
    let _server = serve_exim(&sandbox, exim, scene.port);
    scene.build(0, true);
    scene.wait_for_states(&["delivered"]);
    let inbox = sandbox.path("inbox/new");
    let delivered = || {
        fs::read_dir(&inbox)
            .ok()?
            .next()
            .map(|mail| mail.unwrap().path())
    };
    wait_until("the delivery", || delivered().is_some());
    let mail = fs::read(delivered().unwrap()).unwrap();
    let mail = mail_parser::MessageParser::default().parse(&mail).unwrap();
    assert_eq!(
        mail.subject(),
        Some("buildbot failure in End to end on full")
    );
    assert_eq!(mail.return_path().as_text(), Some("ci@example.org"));
    let text = mail.body_text(0).unwrap();
    assert!(text.contains("    tested <b>"), "{text}");
    assert!(mail.body_html(0).unwrap().contains("tested &lt;b&gt;"));
}

/// A mail server for `example.org` that keeps all mail in `inbox`. It gives up being root for each
/// delivery.
fn serve_exim(sandbox: &Sandbox, exim: &Path, port: u16) -> Process {
    let open = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let [spool, inbox] = ["spool", "inbox"].map(|name| sandbox.private_dir(name));
    open(&sandbox.path(""), 0o711);
    open(&spool, 0o777);
    open(&inbox, 0o777);
    let settings = format!(
        "primary_hostname = mail.test\nspool_directory = {0}\nlog_file_path = {0}/%slog\n\
         pid_file_path = {0}/pid\nlocal_interfaces = 127.0.0.1\ndaemon_smtp_ports = {port}\n\
         keep_environment =\ntls_advertise_hosts =\nacl_smtp_rcpt = all\n\
         begin acl\nall:\n  accept\n\
         begin routers\nhere:\n  driver = accept\n  domains = example.org\n  transport = inbox\n\
         begin transports\ninbox:\n  driver = appendfile\n  directory = {1}\n  maildir_format\n  \
         return_path_add\n  user = Debian-exim\n",
        spool.display(),
        inbox.display()
    );
    let file = sandbox.file("exim.conf", settings);
    let mut command = sandbox.command(exim);
    command.arg("-C").arg(file).arg("-bdf");
    let server = Process::start("exim", &mut command);
    wait_until("exim", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    server
}

#[test]
fn mal_13_a_set_is_told_once_with_those_of_its_builds_that_are_wanted() {
    let sandbox = Sandbox::new();
    let lines = "mode = \"failing\"\nbuild_set_summary = true\nsubject = \"{{ set.number }}: {{ builds | length }}\"";
    let Some(scene) = Scene::prepare(&sandbox, lines) else {
        return;
    };
    let _server = scene.serve();
    scene.build(0, false);
    scene.build(1, true);
    scene.wait_for_states(&["delivered"]);
    let mails = scene.mails();
    assert_eq!(mails[0]["headers"]["Subject"], "2: 1");
    let text = mails[0]["text"].as_str().unwrap();
    assert!(text.contains("full #1: failed"), "{text}");
}

#[test]
fn mal_08_the_patch_of_a_try_goes_to_who_tried_it() {
    let sandbox = Sandbox::new();
    let port = free_port();
    let tries = format!(
        "[[schedulers]]\ntype = \"Try_Userpass\"\nname = \"try\"\n\
         port = \"127.0.0.1:{port}\"\nuserpass = [[\"tess\", \"pw\"]]\nbuilders = [\"full\"]\n"
    );
    let lines = "extra_recipients = [\"list@example.org\"]";
    let Some(scene) = Scene::with_schedulers(&sandbox, lines, Some(&tries)) else {
        return;
    };
    let _server = scene.serve();
    let diff = scene.dir.join("try.diff");
    fs::write(&diff, "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-gr\u{fc}n\n+rot\n").unwrap();
    run(sandbox
        .buildbot()
        .args([
            "try",
            "--connect=pb",
            "--username",
            "tess",
            "--passwd",
            "pw",
        ])
        .args(["-b", "full", "--who", "tess", "--baserev", "r1"])
        .arg(format!("--master=127.0.0.1:{port}"))
        .arg(format!("--diff={}", diff.display())))
    .ok();
    scene.wait_for_states(&["delivered"]);
    let mail = &scene.mails()[0];
    assert_eq!(mail["to"], serde_json::json!(["tess@example.org"]));
    let attached = &mail["attachments"][0];
    assert_eq!(attached[0], "source.patch");
    assert!(
        attached[1].as_str().unwrap().contains("-gr\u{fc}n"),
        "{mail}"
    );
    let text = mail["text"].as_str().unwrap();
    assert!(text.contains(", with a patch\n"), "{text}");
}

#[test]
fn esc_01_esc_11_a_suspect_is_told_of_the_begin_and_the_end_of_a_problem_once() {
    let sandbox = Sandbox::new();
    let lines = "mode = []\nproblems = true\nhtml = true\n\
                 [problems]\ngather = \"0s\"\npause = \"0s\"\n";
    let Some(mut scene) = Scene::prepare(&sandbox, lines) else {
        return;
    };
    let server = scene.serve();
    scene.build(0, false);
    scene.build(1, true);
    scene.wait_for_states(&["delivered"]);
    scene.master.kill();
    scene.master.run();
    scene.build(2, true);
    scene.build(3, false);
    scene.wait_for_states(&["delivered"; 2]);
    drop(server);

    let mails = scene.mails();
    assert_eq!(mails.len(), 2, "{mails:?}");
    let header = |mail: &Value, name: &str| mail["headers"][name].as_str().map(str::to_owned);
    let [begun, ended] = &mails[..] else {
        panic!("two mails");
    };
    assert_eq!(begun["defects"].as_array().unwrap().len(), 0, "{begun}");
    assert_eq!(begun["to"][0], "alice@example.org");
    assert_eq!(
        header(begun, "Subject").as_deref(),
        Some("End to end: full: test fails now (problem 1)")
    );
    assert_eq!(header(begun, "X-Buildmaster-Problem").as_deref(), Some("1"));
    let text = begun["text"].as_str().unwrap();
    for part in [
        "full: test fails now.\n",
        "The only change in it is yours. That is not proved.",
        "after change 2 by alice",
        "Last build without it: http://localhost/builders/full/builds/0",
        "First build with it:   http://localhost/builders/full/builds/1",
        "Problem 1: http://localhost/problems/1",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let html = begun["html"].as_str().unwrap();
    assert!(html.contains("Problem 1</a>"), "{html}");
    let text = ended["text"].as_str().unwrap();
    assert!(text.contains("full: test is over: resolved."), "{text}");
    assert_eq!(header(begun, "References"), header(ended, "References"));
}
