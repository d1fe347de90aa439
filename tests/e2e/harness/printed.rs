//! What the logs of a build hold, under our master and under a real one of Buildbot 0.8.14.

use std::fs;

use buildmaster::logs::{Channel, LogReader, file_name};

use super::real_master::RealMaster;
use super::{Build, Master, Sandbox, run};

/// The logs of a build.
pub(crate) type Printed = Vec<PrintedLog>;

/// What was printed to a log, without what master and slave say about the command.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct PrintedLog {
    /// Step and log.
    pub(crate) name: [String; 2],
    /// The runs of text on standard output (`o`) and standard error (`e`).
    pub(crate) runs: Vec<(char, String)>,
}

impl PrintedLog {
    fn new(step: &str, log: &str) -> Self {
        Self {
            name: [step.to_owned(), log.to_owned()],
            runs: Vec::new(),
        }
    }

    fn add(&mut self, channel: char, text: &[u8]) {
        let text = String::from_utf8_lossy(text);
        match self.runs.last_mut() {
            Some((last, run)) if *last == channel => run.push_str(&text),
            _ if text.is_empty() => {}
            _ => self.runs.push((channel, text.into_owned())),
        }
    }
}

impl Master<'_> {
    /// What a build printed.
    pub(crate) fn printed(&self, build: &Build) -> Printed {
        let mut all = Printed::new();
        for (at, step) in build.steps.iter().enumerate() {
            let dir = format!("builders/{}/{}", file_name(&build.builder), build.number);
            for log in &step.logs {
                let path = format!(
                    "{dir}/{at}-{}.{}",
                    file_name(&step.name),
                    file_name(&log.name)
                );
                let mut reader = LogReader::open(self.dir(), &path).unwrap();
                let mut printed = PrintedLog::new(&step.name, &log.name);
                let copied = reader.copy_each(&mut |channel, bytes| {
                    match channel {
                        Channel::Stdout => printed.add('o', bytes),
                        Channel::Stderr => printed.add('e', bytes),
                        Channel::Header => {}
                    }
                    Ok(())
                });
                copied.unwrap();
                all.push(printed);
            }
        }
        all
    }
}

impl RealMaster {
    /// What its first build printed, which is over. Only of 0.8.
    pub(crate) fn printed(&self, sandbox: &Sandbox) -> Printed {
        const PROGRAM: &str = "
import pickle, sys
for step in pickle.load(open(sys.argv[1], 'rb')).steps:
    for log in step.logs:
        print '\\t'.join((step.name, log.name, log.filename))
";
        let mut python = sandbox.command(self.bin().join("python"));
        let dir = self.dir().join("full");
        let listed = run(python.args(["-c", PROGRAM]).arg(dir.join("0"))).ok();
        let printed = listed.lines().map(|line| {
            let mut parts = line.split('\t');
            let [step, log, file] = [(); 3].map(|()| parts.next().unwrap());
            let mut printed = PrintedLog::new(step, log);
            for (channel, text) in netstrings(&fs::read(dir.join(file)).unwrap()) {
                match channel {
                    b'0' => printed.add('o', text),
                    b'1' => printed.add('e', text),
                    _ => {}
                }
            }
            printed
        });
        printed.collect()
    }
}

/// Checks that our master has what Buildbot has. The logs of a step have no order. Of transfers,
/// Buildbot keeps nothing that the slave says, and the last line of a log that is not the output of
/// a command may lack its end.
pub(crate) fn assert_same(mut ours: Printed, mut theirs: Printed) {
    let known: Vec<_> = theirs.iter().map(|log| log.name.clone()).collect();
    ours.retain(|log| log.name[1] != "stdio" || known.contains(&log.name));
    for all in [&mut ours, &mut theirs] {
        all.retain(|log| !log.runs.is_empty());
        for log in all.iter_mut().filter(|log| log.name[1] != "stdio") {
            let (_, last) = log.runs.last_mut().unwrap();
            last.truncate(last.trim_end_matches('\n').len());
        }
        all.sort_by(|one, other| one.name.cmp(&other.name));
    }
    assert_eq!(ours, theirs);
}

/// The entries of a log file of 0.8: netstrings, each with its channel in front.
pub(super) fn netstrings(mut file: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let colon = file.iter().position(|byte| *byte == b':')?;
        let len: usize = std::str::from_utf8(&file[..colon])
            .unwrap()
            .parse()
            .unwrap();
        let (channel, text) = file[colon + 1..colon + 1 + len].split_first().unwrap();
        file = &file[colon + 2 + len..];
        Some((*channel, text))
    })
}
