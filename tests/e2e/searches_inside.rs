//! A culprit search goes on inside a change that has brought several commits (SRH-15).

use serde_json::Value;

use crate::harness::{Master, Repository, Sandbox, Setup, Slave, run, shell, wait_until};

/// A verb of our program, for this master.
fn say(master: &Master<'_>, words: &[&str]) -> String {
    let mut command = master.program();
    command.args(words).arg("--basedir").arg(master.dir());
    run(&mut command).ok()
}

#[test]
fn srh_15_git_goes_on_into_what_a_guilty_merge_has_merged() {
    let sandbox = Sandbox::new();
    let repository = Repository::new(&sandbox);
    let git = |words: &[&str]| repository.git(words);
    let commit = |file: &str, text: &str| {
        std::fs::write(repository.dir.join(file), text).unwrap();
        git(&["add", file]);
        git(&["commit", "-q", "-m", text]);
    };
    git(&["symbolic-ref", "HEAD", "refs/heads/main"]);
    commit("text", "1");
    let url = repository.dir.display();
    let tables = format!(
        "[[change_sources]]\nname = \"code\"\ntype = \"GitPoller\"\npoll_interval = \"200ms\"\n\
         repourl = \"{url}\"\nbranches = [\"main\"]\nhistory = \"first-parent\"\nstart = \"tip\"\n\
         [search]\nautomatic = false\n"
    );
    let source = format!("{{ type = \"Git\", repourl = \"{url}\", branch = \"main\" }}");
    let setup = Setup::new(&[source, shell("test", "test $(cat text) -lt 7", "")])
        .slave("bot")
        .schedulers(
            "[[schedulers]]\ntype = \"Scheduler\"\nname = \"main\"\nbranch = \"main\"\n\
             builders = [\"full\"]\n",
        )
        .tables(&tables);
    let master = Master::start(&sandbox, &setup);
    let _slave = Slave::native(&sandbox, "bot", master.port());
    master.wait_until_attached("bot");
    let first = master.finished_build("full", 0);
    assert_eq!(first.result.as_deref(), Some("success"));

    git(&["checkout", "-q", "-b", "side"]);
    let mut guilty = String::new();
    for number in ["3", "5", "7", "9"] {
        commit("text", number);
        if number == "7" {
            guilty = git(&["rev-parse", "HEAD"]).trim().to_owned();
        }
    }
    git(&["checkout", "-q", "main"]);
    commit("other", "2");
    git(&["merge", "-q", "--no-ff", "-m", "merge", "side"]);
    wait_until("the broken build", || {
        let result = |number| master.build("full", number)?.result;
        [1, 2]
            .iter()
            .any(|number| result(*number).as_deref() == Some("failure"))
    });
    let newest: Vec<Value> = master.show(&["changes"]);
    let numbers = newest.iter().filter_map(|change| change["number"].as_u64());
    let merge = numbers.max().unwrap().to_string();
    let told = say(
        &master,
        &["bisect", "full", "1", &merge, "--step", "test", "--wait"],
    );
    assert!(
        told.contains(&format!("found: change {merge} fails")),
        "{told}"
    );
    let shown = || say(&master, &["bisect", "show", "2"]);
    wait_until("the verdict inside", || shown().contains("found: "));
    let shown = shown();
    let found = format!("found: commit {} fails", guilty.get(..12).unwrap());
    assert!(shown.contains(&found), "{shown}");
    assert!(shown.contains("test, inside a merge of change"), "{shown}");
    let searches = say(&master, &["bisect", "list", "--json"]);
    assert_eq!(searches.lines().count(), 2, "{searches}");
}
