//! The register of people, as `buildbot user` of Buildbot 0.8.14 manages it (WHO-07).

use crate::harness::master::ShownChange;
use crate::harness::{
    Finished, Master, Repository, Sandbox, Setup, free_port, peer, run, shell, wait_until,
};

/// Runs the real `buildbot user`; absent without it.
fn user(sandbox: &Sandbox, port: u16, password: &str, args: &[&str]) -> Option<Finished> {
    let program = peer("bb0814")?.join("buildbot");
    let mut command = sandbox.command(program);
    command
        .args(["user", "--master", &format!("127.0.0.1:{port}")])
        .args(["--username", "manager", "--passwd", password])
        .args(args);
    Some(run(&mut command))
}

#[test]
fn who_07_buildbot_user_0814_manages_the_register() {
    let sandbox = Sandbox::new();
    let port = free_port();
    let manager = format!(
        "[[user_managers]]\ntype = \"CommandlineUserManager\"\nport = \
         \"tcp:{port}:interface=127.0.0.1\"\nuser = \"manager\"\npassword = \"pw\"\n"
    );
    let setup = Setup::new(&[shell("make", "true", "")])
        .local_slave("here")
        .tables(&manager);
    let master = Master::start(&sandbox, &setup);
    let ours = |words: &[&str]| {
        let mut command = master.program();
        run(command.args(words).arg("--basedir").arg(master.dir())).ok()
    };
    let info = "--info=email=ann@example.org,git=Ann <ann@example.org>";
    let Some(added) = user(&sandbox, port, "pw", &["--op", "add", info]) else {
        return;
    };
    let name = "Ann <ann@example.org>";
    assert_eq!(
        added.ok(),
        format!("user(s) added:\nidentifier: {name}\n\n")
    );
    let all = ours(&["user", "list"]);
    assert!(all.contains("ann@example.org"), "{all}");

    let user = |args: &[&str]| user(&sandbox, port, "pw", args).unwrap();
    let svn = format!("--info={name}:svn=ann");
    let updated = user(&["--op", "update", &svn]).ok();
    assert_eq!(updated, format!("user(s) updated:\nidentifier: {name}\n\n"));
    user(&["--op", "update", &format!("--info={name}:svn=annie")]).ok();
    let found = user(&["--op", "get", &format!("--ids={name},nobody")]).ok();
    assert_eq!(
        found,
        format!(
            "user(s) found:\nidentifier: {name}\ngit: {name}\nsvn: annie\nemail: \
             ann@example.org\n\nno match found\n\n"
        )
    );

    // The hash of a password is not stored.
    let password = ["--bb_username", "ann", "--bb_password", "s3cret"];
    let update = ["--op", "update", &format!("--info={name}")];
    let said = user(&[&update[..], &password].concat()).ok();
    assert!(
        said.contains("the password was not set: run `buildmaster user password"),
        "{said}"
    );

    let removed = user(&["--op", "remove", &format!("--ids={name}")]).ok();
    assert_eq!(removed, format!("user(s) removed:\nidentifier: {name}\n\n"));
    assert!(!ours(&["user", "list"]).contains("ann@example.org"));
    let audit = ours(&["audit"]);
    assert!(audit.contains("asked to remove user"), "{audit}");
}

#[test]
fn who_05_the_addresses_of_a_mailmap_come_into_the_register() {
    let sandbox = Sandbox::new();
    let people = "[people.bob]\nemail = \"bob@old\"\n";
    let setup = Setup::new(&[shell("make", "true", "")]).slave("nobody");
    let master = Master::start(&sandbox, &setup.tables(people));
    let file = "Ann <ann@example.org> <ann@home>\nBob <bob@example.org> <bob@old>\n";
    let file = sandbox.file("mailmap", file);
    let mailmap = || {
        let mut command = master.program();
        command.args(["user", "mailmap"]).arg(&file);
        run(command.arg("--basedir").arg(master.dir())).ok()
    };
    let added = "Ann is a new user: ann@example.org, ann@home\nbob is known: bob@example.org\n";
    assert_eq!(mailmap(), added);
    assert_eq!(mailmap(), "");
    let mut get = master.program();
    let bob = run(get
        .args(["user", "get", "bob", "--basedir"])
        .arg(master.dir()))
    .ok();
    assert_eq!(bob, "bob\n  email: bob@example.org\n  email: bob@old\n");
}

#[test]
fn who_02_the_author_of_a_change_stays_as_it_was_sent() {
    let sandbox = Sandbox::new();
    let people = "[people.ann]\nany = \"alice\"\n";
    let setup = Setup::new(&[shell("make", "true", "")]).slave("nobody");
    let master = Master::start(&sandbox, &setup.tables(people));
    master.send_change("1");
    let [change] = master.show::<ShownChange>(&["changes"]).try_into().unwrap();
    assert_eq!(change.who, "alice");
}

#[test]
fn who_07_a_user_manager_needs_its_password() {
    let sandbox = Sandbox::new();
    let port = free_port();
    let manager = format!(
        "[[user_managers]]\nport = \"tcp:{port}:interface=127.0.0.1\"\nuser = \"manager\"\n\
         password = \"pw\"\n"
    );
    let setup = Setup::new(&[shell("make", "true", "")])
        .local_slave("here")
        .tables(&manager);
    let master = Master::start(&sandbox, &setup);
    // Its exit code is 0, whatever happens.
    if user(
        &sandbox,
        port,
        "wrong",
        &["--op", "add", "--info=email=a@x"],
    )
    .is_none()
    {
        return;
    }
    let mut command = master.program();
    let all = run(command
        .args(["user", "list", "--basedir"])
        .arg(master.dir()))
    .ok();
    assert!(!all.contains("a@x"), "{all}");
}

#[test]
fn who_05_a_command_lists_people_and_its_last_answer_is_kept() {
    let sandbox = Sandbox::new();
    let listing = sandbox.file("listing", r#"{"name": "eve", "email": "eve@example.org"}"#);
    let lookup = format!(
        "[people]\ncommand = [\"cat\", {listing:?}]\nevery = \"1s\"\ndomain = \"example.org\"\n\
         [people.ann]\nemail = \"ann@example.org\"\n"
    );
    let setup = Setup::new(&[shell("make", "true", "")]).slave("nobody");
    let mut master = Master::start(&sandbox, &setup.tables(&lookup));
    let user = |master: &Master<'_>, words: &[&str]| {
        let mut command = master.program();
        command.arg("user").args(words);
        run(command.arg("--basedir").arg(master.dir()))
    };
    wait_until("the command has listed its people", || {
        user(&master, &["list"]).ok() == "ann\neve\n"
    });
    let found = user(&master, &["lookup", "Eve <eve@EXAMPLE.org>"]).ok();
    assert_eq!(found, "eve (by the mail address), eve@example.org\n");
    let found = user(&master, &["lookup", "--vc", "svn", "ann"]).ok();
    assert_eq!(found, "ann (by the name and the domain), ann@example.org\n");
    let nobody = user(&master, &["lookup", "dee"]);
    assert_eq!(nobody.code, Some(1));
    assert_eq!(nobody.stdout, b"nobody, dee@example.org\n");

    // Another answer replaces the last one; a broken one does not, even over a restart.
    sandbox.file("listing", "{\"name\": \"dan\", \"roles\": [\"release\"]}\n");
    wait_until("the command has listed others", || {
        user(&master, &["list"]).ok() == "ann\ndan  release\n"
    });
    sandbox.file("listing", "no JSON\n");
    let why = "line 1 of its output is not a JSON object";
    master.process().wait_for_line(why);
    master.terminate();
    master.run();
    assert_eq!(user(&master, &["list"]).ok(), "ann\ndan  release\n");
}

#[test]
fn esc_10_people_are_on_duty_in_turns_and_by_hand() {
    let sandbox = Sandbox::new();
    let rota = "[people.ann]\n[people.bob]\n[[duty]]\nname = \"sheriff\"\npeople = [\"ann\"]\n\
                time_zone = \"UTC\"\n";
    let setup = Setup::new(&[shell("make", "true", "")]).slave("nobody");
    let master = Master::start(&sandbox, &setup.tables(rota));
    let ours = |words: &[&str]| {
        let mut command = master.program();
        run(command.args(words).arg("--basedir").arg(master.dir()))
    };
    let turn = ours(&["duty"]).ok();
    assert!(turn.starts_with("sheriff: ann until Mon "), "{turn}");
    assert_eq!(ours(&["user", "list"]).ok(), "ann  sheriff\nbob\n");
    let taken = ours(&["duty", "bob", "--until", "2999-01-01T00:00:00Z"]).ok();
    assert!(taken.starts_with("sheriff: bob until "), "{taken}");
    assert_eq!(ours(&["duty"]).ok(), taken);
    assert_eq!(ours(&["user", "list"]).ok(), "ann\nbob  sheriff\n");
    for (words, why) in [
        (&["duty", "eve"][..], "there is no user \"eve\""),
        (
            &["duty", "ann", "--rota", "night"],
            "there is no rota \"night\"",
        ),
        (
            &["duty", "ann", "--until", "0"],
            "would end before it begins",
        ),
    ] {
        let refused = ours(words).fails_with(1);
        assert!(refused.contains(why), "{refused}");
    }
    let audit = ours(&["audit"]).ok();
    assert!(audit.contains("asked to put user bob on duty"), "{audit}");
}

#[test]
fn who_08_a_poller_reads_who_owns_the_files_of_its_repository() {
    let sandbox = Sandbox::new();
    let repository = Repository::new(&sandbox);
    repository.git(&["symbolic-ref", "HEAD", "refs/heads/main"]);
    repository.commit("CODEOWNERS", b"* @ann\n/doc/ eve@example.org\n");
    let url = repository.dir.display();
    let tables = format!(
        "[people.ann]\n[people.eve]\nemail = \"eve@example.org\"\n\
         [[repositories]]\nname = \"widget\"\nurls = [\"{url}\"]\nvc = \"git\"\n\
         owners = [\"CODEOWNERS\", \"rob\"]\n\
         [[change_sources]]\ntype = \"GitPoller\"\nrepository = \"widget\"\n\
         poll_interval = \"200ms\"\n"
    );
    let setup = Setup::new(&[shell("make", "true", "")]).slave("nobody");
    let master = Master::start(&sandbox, &setup.tables(&tables));
    let owners = |file: &str| {
        let mut command = master.program();
        command.args(["user", "owners", "--repository", "widget", file]);
        run(command.arg("--basedir").arg(master.dir())).ok()
    };
    wait_until("the file is read", || owners("src/a") == "ann\nrob\n");
    assert_eq!(owners("doc/a"), "eve\nrob\n");
    repository.commit("CODEOWNERS", b"* @ann\n/doc/ @doc-team\n");
    wait_until("the new file is read", || {
        owners("doc/a") == "doc-team\nrob\n"
    });
    repository.git(&["rm", "-q", "CODEOWNERS"]);
    repository.git(&["commit", "-q", "-m", "no owners"]);
    wait_until("the file is gone", || owners("src/a") == "rob\n");
}
