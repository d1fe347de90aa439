//! `MTR`: the tests of MySQL and MariaDB.

use super::words::{plain, text};
use super::{COMMAND, Kind, WITHOUT_COMMAND, make, shell_of, warnings};
use crate::config::CommandWords;
use crate::config::reader::{Table, Value};
use crate::config::shape::KindShape;
use crate::config::steps::StepConfig;
use crate::config::steps::output::{MysqlTests, OutputReader};

pub(super) static PROGRAMS: &[Kind] = &[Kind {
    shape: KindShape {
        name: "MTR",
        keys: &[
            COMMAND,
            WITHOUT_COMMAND,
            warnings::KEYS,
            &[
                "test_type",
                "text_limit",
                "test_name_limit",
                "parallel",
                "mtr_subdir",
            ],
        ],
    },
    usual: || {
        let pattern = "MTR's internal check of the test case '.*' failed";
        let tests = MysqlTests {
            warnings: *make::rules(pattern),
            test_type: None,
            text_limit: 5,
            name_limit: 16,
        };
        let reader = OutputReader::MysqlTests(Box::new(tests));
        let mut step = make::test(&[], reader);
        let shell = shell_of(&mut step);
        shell.command = CommandWords::Words(Vec::new());
        shell.lazy_logfiles = true;
        step
    },
    own: read,
}];

fn read(table: &mut Table<'_>, step: &mut StepConfig) {
    warnings::read(table, step);
    let OutputReader::MysqlTests(tests) = &mut shell_of(step).reader else {
        return;
    };
    table.set_some("test_type", &mut tests.test_type, plain);
    let count = |value: &Value<'_>| value.integer(0..=MOST_SHOWN).map(usize::from);
    table.set("text_limit", &mut tests.text_limit, count);
    let length = |value: &Value<'_>| value.integer(4..=MOST_SHOWN).map(usize::from);
    table.set("test_name_limit", &mut tests.name_limit, length);
    let test_type = tests.test_type.clone();
    let mut parallel = 4;
    table.set("parallel", &mut parallel, |value| {
        value.integer(0..=MOST_PARALLEL)
    });
    let mut subdir = text("mysql-test");
    table.set("mtr_subdir", &mut subdir, Value::template);
    let mut logs = Vec::new();
    for server in 1..=4 {
        let path = text(&format!("/var/log/mysqld.{server}.err"));
        let path = super::words::join([&subdir, &path]);
        logs.push((format!("mysqld.{server}.err"), path, false));
    }
    for worker in 1..=parallel {
        for server in 1..=4 {
            let path = text(&format!("/var/{worker}/log/mysqld.{server}.err"));
            let path = super::words::join([&subdir, &path]);
            logs.push((format!("mysqld.{server}.err.{worker}"), path, false));
        }
    }
    shell_of(step).logfiles.extend(logs);
    let Some(test_type) = test_type else { return };
    let texts = [
        (&mut step.description, "testing"),
        (&mut step.description_done, "test"),
    ];
    for (texts, usual) in texts {
        if let Some(texts) = texts
            && *texts == [text(usual)]
        {
            texts.push(text(&test_type));
        }
    }
}

const MOST_SHOWN: u16 = 1000;
const MOST_PARALLEL: u32 = 64;
