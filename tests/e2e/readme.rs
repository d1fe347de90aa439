//! What the README tells people to type works as it is written.
//!
//! The walk takes the blocks of commands from the README in their order, as one user with one
//! master, and changes in them only what stands for something of the reader's own: hosts, ports,
//! names, numbers. A block that the walk does not know fails the test, so that nothing is added to
//! the README untried.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use crate::harness::{Repository, Sandbox, free_port, run};
use crate::programs::{program, programs};

const README: &str = include_str!("../../README.md");

/// A fenced block of the README: the language it is marked with, and its text.
type Block = (&'static str, &'static str);

fn blocks() -> Vec<Block> {
    let mut found = Vec::new();
    let mut rest = README;
    while let Some((_, from)) = rest.split_once("\n```") {
        let (language, from) = from.split_once('\n').unwrap();
        let (text, behind) = from.split_once("\n```").unwrap();
        found.push((language, text));
        rest = behind;
    }
    found
}

/// The one block that contains `text`.
fn block_with(text: &str) -> &'static str {
    let with: Vec<Block> = blocks()
        .into_iter()
        .filter(|b| b.1.contains(text))
        .collect();
    assert_eq!(with.len(), 1, "blocks with {text:?}");
    with[0].1
}

/// The block that follows the one that contains `text`.
fn block_after(text: &str) -> &'static str {
    let blocks = blocks();
    let at = blocks.iter().position(|block| block.1.contains(text));
    blocks[at.unwrap() + 1].1
}

/// The reader, with our programs on the PATH.
struct Reader {
    sandbox: Sandbox,
    port: u16,
    try_port: u16,
    revision: String,
}

impl Reader {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let repository = Repository::new(&sandbox);
        repository.git(&["checkout", "-q", "-b", "main"]);
        let revision = repository.commit("hello.c", b"int main() { return 0; }\n");
        let bin = sandbox.private_dir("bin");
        // What the configuration in the README runs; CI has no make.
        let make = bin.join("make");
        fs::write(&make, "#!/bin/sh\necho making \"$@\"\n").unwrap();
        fs::set_permissions(&make, fs::Permissions::from_mode(0o755)).unwrap();
        Self {
            sandbox,
            port: free_port(),
            try_port: free_port(),
            revision,
        }
    }

    /// Puts what belongs to this machine in the place of what stands for it in the README.
    fn adapt(&self, text: &str) -> String {
        let repository = format!("file://{}", self.sandbox.path("repository").display());
        text.replace("9989", &self.port.to_string())
            .replace("8031", &self.try_port.to_string())
            .replace("interface=0.0.0.0", "interface=127.0.0.1")
            .replace("master.example.org", "127.0.0.1")
            .replace("https://example.org/widget.git", &repository)
            .replace("-o buildmaster -g developers", "-o $(id -un) -g $(id -gn)")
            .replace(
                "/srv/jobs",
                &self.sandbox.path("jobs").display().to_string(),
            )
    }

    fn shell(&self, script: &str) -> Command {
        let own = [self.sandbox.path("bin"), programs().to_owned()];
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path: Vec<PathBuf> = own
            .into_iter()
            .chain(std::env::split_paths(&path))
            .collect();
        let mut shell = self.sandbox.command("sh");
        shell.args(["-euc", &self.adapt(script)]);
        shell.env("PATH", std::env::join_paths(path).unwrap());
        // The zone in which the README shows times.
        shell.env("TZ", "Europe/Berlin");
        shell
    }

    /// Types commands, which must end well; answers with what they print.
    fn types(&self, script: &str) -> String {
        run(&mut self.shell(script)).ok()
    }

    /// Adds to the configuration of the running master.
    fn configures(&self, text: &str) {
        let file = self.sandbox.path("ci/master.toml");
        let before = fs::read_to_string(&file).unwrap_or_default();
        fs::write(&file, before + "\n" + &self.adapt(text) + "\n").unwrap();
        self.types("buildmaster reconfig ci");
    }

    /// The four commands, with this test's port in the configuration that the first one makes.
    fn makes_a_master(&self, block: &str) {
        let (first, others) = block.split_once('\n').unwrap();
        self.types(first);
        let file = self.sandbox.path("ci/master.toml");
        let config = fs::read_to_string(&file).unwrap();
        let config = config.replace("9989", &self.port.to_string());
        fs::write(&file, config.replace("port = 8010", "port = 0")).unwrap();
        let printed = self.types(others);
        assert!(printed.contains("first"), "no build in sight: {printed}");
        assert!(printed.contains("success"), "no result in sight: {printed}");
    }

    /// The configuration of the README, after the secrets were made.
    fn takes_the_real_configuration(&self) {
        self.types("cp ci/secrets/bot-linux ci/secrets/bot-arm; rm ci/master.toml");
        self.configures(block_with("title = \"Widget\""));
    }

    /// A build on the slave that has been connected.
    fn gets_a_build(&self) {
        let forced = "buildmaster force full --branch main --basedir ci";
        self.types(forced);
        self.types("buildmaster show builds full --wait --basedir ci");
    }

    /// Types the commands of one block as the walk knows it.
    fn follows(&self, block: &str) {
        let has = |text: &str| block.contains(text);
        if has("cargo ") || has("sudo systemctl") && !has("systemd-unit") {
            // The tests run by the one; the other is not for a test to do. `.ci/run` runs the demo.
        } else if has("create-master ci") {
            self.makes_a_master(block);
        } else if has("> ci/secrets/bot-linux") {
            self.types(block);
            self.takes_the_real_configuration();
        } else if has("create-worker") {
            let ours = block
                .lines()
                .find(|line| line.starts_with("buildslave"))
                .unwrap();
            self.types(&format!("PASSWORD=$(cat ci/secrets/bot-linux); {ours}"));
            self.gets_a_build();
        } else if has("--who \"$AUTHOR\"") {
            let revision = &self.revision;
            let set = format!(
                "PASSWORD=$(cat ci/secrets/change) AUTHOR='Me <me@example.org>' BRANCH=main \
                 REVISION={revision} MESSAGE='- mend' FILES=hello.c"
            );
            self.types(&format!("{set}; {block}"));
        } else if has("buildbot hook install") {
            let bare = self.sandbox.path("widget.git");
            let block = block.replace("/srv/git/widget.git", &bare.display().to_string());
            let made = format!("git init -q --bare {}", bare.display());
            self.types(&format!(
                "{made}; PASSWORD=$(cat ci/secrets/change); {block}"
            ));
        } else if has("buildbot try") {
            if has("alice --wait") {
                self.configures(block_with("\"Try_Userpass\""));
            }
            // Asked for on a terminal otherwise.
            let block = block.replace(
                "alice --wait",
                "alice --passwd her-password --vc git --wait",
            );
            self.types(&format!("cd repository; echo // >> hello.c; {block}"));
        } else if has("/srv/jobs") {
            // Users and groups are root's; the test makes the directories as the user that it has.
            let own = block.lines().filter(|line| line.starts_with("install"));
            self.types(&own.collect::<Vec<_>>().join("\n"));
        } else if has("jobs/new") {
            self.types(&format!("cd ci; {block}"));
            self.configures(block_with("\"Try_Jobdir\""));
        } else if has("buildmaster show") || has("buildmaster why") {
            let block = block
                .replace("full 12", "full 0")
                .replace("change 7", "change 1");
            self.types(&format!("cd ci; {}", block.replace("why 12", "why 1")));
        } else if has("buildmaster problems 3") {
            // Nothing is broken whose story could be shown.
            let list = block.lines().next().unwrap();
            self.types(&format!("cd ci; {list}"));
        } else if has("--next 3") {
            assert_eq!(self.types(block).trim_end(), block_after("--next 3"));
        } else if has("simulate ci") {
            self.sandbox
                .file("changes.jsonl", block_with("\"at\": ").to_owned() + "\n");
            assert_eq!(self.types(block).trim_end(), block_after("simulate ci"));
        } else if has("reconfig --dry-run") || has("buildmaster backup") {
            self.types(block);
        } else if has("import-config") {
            // The tests of `importing` run the rest with an old master.
            self.types(block.lines().next().unwrap());
        } else if has("import-state") {
            // As above: it needs an old master.
        } else if has("systemd-unit") {
            let unit = block.lines().next().unwrap().split_once(" | ").unwrap().0;
            assert!(self.types(unit).contains("[Service]"));
        } else {
            panic!("the walk does not know what to do with\n{block}");
        }
    }
}

impl Drop for Reader {
    /// Ends what runs in the background.
    fn drop(&mut self) {
        let stop = "buildslave stop bot; buildmaster stop ci";
        drop(self.shell(&format!("set +e; {stop}")).output());
    }
}

#[test]
fn commands_in_the_readme_work_as_written() {
    let reader = Reader::new();
    for (language, block) in blocks() {
        if language == "sh" {
            reader.follows(block);
        }
    }
}

/// The commands of our programs that the text mentions, as words: in blocks, in the text, in
/// tables.
fn mentioned() -> BTreeSet<Vec<&'static str>> {
    let in_blocks = blocks().into_iter().filter(|block| block.0 == "sh");
    let in_blocks = in_blocks.flat_map(|block| block.1.lines());
    let in_text = README.lines().filter(|line| !line.starts_with("```"));
    let in_text = in_text.flat_map(|line| line.split('`').skip(1).step_by(2));
    let commands = in_blocks
        .chain(in_text)
        .flat_map(|line| line.split(['|', ';', '&']));
    commands
        .map(|command| command.split("  #").next().unwrap_or(command))
        .map(|command| command.split_whitespace().collect::<Vec<_>>())
        .filter(|words| {
            let program = words.first().copied().unwrap_or_default();
            ["buildmaster", "buildbot", "buildslave"].contains(&program)
                && words
                    .get(1)
                    .is_some_and(|verb| verb.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
        })
        .collect()
}

#[test]
fn verbs_and_options_in_the_readme_exist() {
    let sandbox = Sandbox::new();
    for words in mentioned() {
        let (program, verb) = (program(words[0]), words[1]);
        let mut command = sandbox.command(program);
        command.arg(verb);
        let has_verbs_of_its_own = [
            "show",
            "hook",
            "user",
            "sources",
            "outbox",
            "problems",
            "bisect",
            "quarantine",
        ]
        .contains(&verb);
        if let (true, Some(what)) = (has_verbs_of_its_own, words.get(2)) {
            command.arg(what);
        }
        let help = run(command.arg("--help")).ok();
        let options = words.iter().filter(|word| word.starts_with("--"));
        for option in options.map(|option| option.split('=').next().unwrap_or(option)) {
            assert!(
                option == "--" || help.contains(option),
                "{words:?}: no {option}"
            );
        }
    }
}
