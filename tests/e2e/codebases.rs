//! Builds of two git repositories on real slaves: each has the right revision of each codebase.

use std::fs;

use buildmaster::model::TryJob;
use buildmaster::protocol::jobfile;
use serde_json::{Value, json};

use crate::harness::{
    Finished, Kind, Master, Repository, Sandbox, Setup, Slave, free_port, peer, run, shell,
    wait_until,
};
use crate::jobdir;

#[test]
fn cbs_04_native_slave_has_the_right_revision_of_each_codebase() {
    has_the_right_revisions(Kind::Native);
}

#[test]
fn cbs_04_slave_0814_has_the_right_revision_of_each_codebase() {
    has_the_right_revisions(Kind::Slave0814);
}

fn has_the_right_revisions(kind: Kind) {
    let sandbox = Sandbox::new();
    let place = Place::new(&sandbox);
    let [core1, lib1] = [place.commit("core", "1"), place.commit("lib", "1")];
    let scheduler = format!(
        "[[schedulers]]\ntype = \"Scheduler\"\nname = \"quick\"\nbuilders = [\"full\"]\n\
         absolute = true\ncodebases = {{ core = {{}}, lib = {{ revision = {lib1:?} }} }}\n\
         [[schedulers]]\ntype = \"Dependent\"\nname = \"after\"\nupstream = \"quick\"\n\
         builders = [\"after\"]\n"
    );
    let setup = place
        .setup()
        .builder("after", "")
        .slave("bot")
        .schedulers(&scheduler);
    let master = Master::start(&sandbox, &setup);
    let Some(_slave) = Slave::start(kind, &sandbox, "bot", master.port()) else {
        return;
    };
    master.wait_until_attached("bot");

    // Nothing was seen of lib, which is built as it is configured, not at what is in it.
    place.commit("lib", "2");
    place.send(&master, "core", &core1);
    assert_eq!(seen(&master, "full", 0), [[&*core1, "1"], [&*lib1, "1"]]);
    // Nothing was said of the newest of core, which is built as it was seen last.
    let core2 = place.commit("core", "2");
    let lib3 = place.commit("lib", "3");
    place.commit("lib", "4");
    place.send(&master, "lib", &lib3);
    assert_eq!(seen(&master, "full", 1), [[&*core1, "1"], [&*lib3, "3"]]);
    place.send(&master, "core", &core2);
    assert_eq!(seen(&master, "full", 2), [[&*core2, "2"], [&*lib3, "3"]]);
    assert_eq!(seen(&master, "after", 2), [[&*core2, "2"], [&*lib3, "3"]]);
    // A build that is repeated has the same of both.
    place.commit("core", "5");
    let mut rebuild = sandbox.buildmaster();
    rebuild.args(["rebuild", "full", "1", "--basedir"]);
    run(rebuild.arg(master.dir())).ok();
    assert_eq!(seen(&master, "full", 3), [[&*core1, "1"], [&*lib3, "3"]]);
}

#[test]
fn cbs_05_our_try_patches_the_codebase_that_it_names() {
    let sandbox = Sandbox::new();
    let place = Place::new(&sandbox);
    let [core1, lib1] = [place.commit("core", "1"), place.commit("lib", "1")];
    let port = free_port();
    let master = place.master_for_tries(port);
    let tree = place.repository("lib").cloned("tree");
    fs::write(tree.dir.join("text"), "patched\n").unwrap();
    let attempt = |args: &[&str]| {
        let mut command = sandbox.buildbot();
        command
            .current_dir(&tree.dir)
            .args(["try", "--connect=pb", "--vc=git", "--wait"])
            .args(["--username=alice", "--passwd=pw"])
            .arg(format!("--master=127.0.0.1:{port}"));
        run(command.args(args))
    };
    let unsaid = attempt(&[]).fails_with(2);
    let why = "the job does not say which codebase it patches, by --codebase or --repository; \
        there are core, lib";
    assert!(unsaid.contains(why), "{unsaid}");
    let unknown = attempt(&["--codebase=docs"]).fails_with(2);
    assert!(unknown.contains("there is no codebase docs"), "{unknown}");
    let good = attempt(&["--codebase=lib"]);
    assert_eq!(good.code, Some(0), "{good}");
    let patched = [[&*core1, "1"], [&*lib1, "patched"]];
    assert_eq!(seen(&master, "full", 0), patched);
}

#[test]
fn cbs_05_try_0814_patches_the_codebase_of_its_repository() {
    let sandbox = Sandbox::new();
    let Some(bin) = peer("bb0814") else { return };
    let place = Place::new(&sandbox);
    let [core1, lib1] = [place.commit("core", "1"), place.commit("lib", "1")];
    let port = free_port();
    let master = place.master_for_tries(port);
    let diff = place.repository("lib").diff(|dir| {
        fs::write(dir.join("text"), "patched\n").unwrap();
    });
    let diff = sandbox.file("job.diff", diff);
    let attempt = |repository: &str| -> Finished {
        run(sandbox
            .command(bin.join("buildbot"))
            .args(["try", "--connect=pb", "--vc=git", "--wait", "-p1"])
            .args(["--username=alice", "--passwd=pw", "--baserev"])
            .arg(&lib1)
            .arg(format!("--master=127.0.0.1:{port}"))
            .arg(format!("--diff={}", diff.display()))
            .arg(format!("--repository={repository}")))
    };
    let unsaid = attempt("git://example.org/other");
    assert_eq!(unsaid.code, Some(1), "{unsaid}");
    let said = String::from_utf8_lossy(&unsaid.stdout).into_owned();
    assert!(said.contains("does not say which codebase"), "{said}");
    let good = attempt(&format!("{}/", place.url("lib")));
    assert_eq!(good.code, Some(0), "{good}");
    let patched = [[&*core1, "1"], [&*lib1, "patched"]];
    assert_eq!(seen(&master, "full", 0), patched);
}

#[test]
fn cbs_05_a_job_file_patches_the_codebase_that_it_names() {
    let sandbox = Sandbox::new();
    let place = Place::new(&sandbox);
    let [core1, lib1] = [place.commit("core", "1"), place.commit("lib", "1")];
    let master = place.master_with("type = \"Try_Jobdir\"\njobdir = \"jobs\"\n");
    let patch = place.repository("lib").diff(|dir| {
        fs::write(dir.join("text"), "patched\n").unwrap();
    });
    let job = |id: &str, codebase: &str| TryJob {
        id: id.to_owned(),
        codebase: codebase.to_owned(),
        base_revision: Some(lib1.clone()),
        patch: patch.clone(),
        patch_level: 1,
        ..jobdir::job("alice")
    };
    for (name, codebase, why) in [
        ("unsaid", "", "does not say which codebase"),
        ("unknown", "docs", "there is no codebase docs"),
    ] {
        jobdir::drop_job(&master, name, &job(name, codebase));
        let refused = jobdir::jobdir(&master).join(format!("cur/{name}.refused"));
        wait_until("the job to be refused", || refused.exists());
        let reason = fs::read_to_string(refused).unwrap();
        assert!(reason.contains(why), "{reason}");
    }
    jobdir::drop_job(&master, "good", &job("good", "lib"));
    let patched = [[&*core1, "1"], [&*lib1, "patched"]];
    assert_eq!(seen(&master, "full", 0), patched);
    // Buildbot's masters, which know no codebases in jobs, must not take it for another one.
    let version = jobfile::encode(&job("good", "lib"));
    assert!(version.starts_with(b"1:7,"));
}

/// The repositories of the codebases `core` and `lib`.
struct Place<'a> {
    sandbox: &'a Sandbox,
    repositories: [Repository<'a>; 2],
}

const NAMES: [&str; 2] = ["core", "lib"];

impl<'a> Place<'a> {
    fn new(sandbox: &'a Sandbox) -> Self {
        let repositories = NAMES.map(|name| Repository::named(sandbox, name));
        Self {
            sandbox,
            repositories,
        }
    }

    fn repository(&self, codebase: &str) -> &Repository<'a> {
        let place = NAMES.iter().position(|name| *name == codebase).unwrap();
        &self.repositories[place]
    }

    fn url(&self, codebase: &str) -> &str {
        self.repository(codebase).dir.to_str().unwrap()
    }

    /// Commits `text`; answers with the revision.
    fn commit(&self, codebase: &str, text: &str) -> String {
        let line = format!("{text}\n");
        self.repository(codebase).commit("text", line.as_bytes())
    }

    /// A builder that checks both out and looks at them.
    fn setup(&self) -> Setup {
        let checkout = |codebase: &str| {
            format!(
                "{{ type = \"Git\", name = {codebase:?}, repourl = {:?}, codebase = {codebase:?}, \
                 workdir = \"build/{codebase}\" }}",
                self.url(codebase)
            )
        };
        let look =
            "for c in core lib; do echo tree: $c $(git -C $c rev-parse HEAD) $(cat $c/text); done";
        let steps = [checkout("core"), checkout("lib"), shell("look", look, "")];
        Setup::new(&steps).builder("full", "")
    }

    fn master_for_tries(&self, port: u16) -> Master<'a> {
        self.master_with(&format!(
            "type = \"Try_Userpass\"\nport = \"127.0.0.1:{port}\"\nuserpass = [[\"alice\", \"pw\"]]\n"
        ))
    }

    /// A master with a try scheduler of these settings.
    fn master_with(&self, settings: &str) -> Master<'a> {
        let sources = NAMES.map(|name| format!("{name} = {{ repository = {:?} }}", self.url(name)));
        let scheduler = format!(
            "[[schedulers]]\nname = \"try\"\n{settings}builders = [\"full\"]\ncodebases = {{ {} }}\n",
            sources.join(", ")
        );
        let setup = self.setup().local_slave("here").schedulers(&scheduler);
        let mut master = Master::prepare(self.sandbox, &setup);
        jobdir::make_jobdir(&master);
        master.run();
        master
    }

    fn send(&self, master: &Master<'_>, codebase: &str, revision: &str) {
        run(self
            .sandbox
            .buildbot()
            .args(["sendchange", "--auth", "change:changepw", "--who", "alice"])
            .args(["--master", &format!("127.0.0.1:{}", master.port())])
            .args(["--repository", self.url(codebase), "--codebase", codebase])
            .args(["--revision", revision, "text"]))
        .ok();
    }
}

/// The revision and the text of each codebase in the trees of a build, which its property
/// `got_revision` says too.
fn seen(master: &Master<'_>, builder: &str, number: u64) -> [[String; 2]; 2] {
    let build = master.finished_build(builder, number);
    let log = |step| String::from_utf8_lossy(&master.log(builder, number, step)).into_owned();
    let look = log("look");
    let all = [log("core"), log("lib"), look.clone()].concat();
    assert_eq!(build.result.as_deref(), Some("success"), "{all}");
    let trees = NAMES.map(|name| {
        let start = format!("tree: {name} ");
        let line = look
            .lines()
            .find_map(|line| line.trim().strip_prefix(&start));
        let (revision, text) = line.and_then(|line| line.split_once(' ')).unwrap();
        [revision.to_owned(), text.to_owned()]
    });
    let number = number.to_string();
    let shown: Vec<Value> = master.show(&["build", builder, &number]);
    let properties = shown[0]["properties"].to_string();
    let got = json!({"core": trees[0][0], "lib": trees[1][0]}).to_string();
    assert!(properties.contains(&got), "{properties}");
    trees
}
