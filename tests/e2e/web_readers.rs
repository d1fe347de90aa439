//! What programs read, read with the libraries that such programs use: feeds, metrics, the
//! description of the API, and CCTray.

use std::path::Path;

use crate::harness::{Master, Sandbox, Setup, free_port, from_pypi, run, shell};

#[test]
fn web_programs_read_feeds_metrics_api_and_cctray_with_their_libraries() {
    let Some(python) = from_pypi("readers", "python") else {
        return;
    };
    let sandbox = Sandbox::new();
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    let web = format!("[web]\nport = {port}\n");
    let setup = Setup::new(&[shell("say <b> & more", "exit 1", "")])
        .local_slave("here")
        .url(&format!("{url}/"))
        .tables(&web);
    let master = Master::start(&sandbox, &setup);
    for number in 0..2 {
        master.send_change("r1");
        master.finished_build("full", number);
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/web_readers.py");
    let read = run(sandbox.command(python).arg(script).arg(&url)).ok();
    for found in ["/atom: 2 entries", "/rss: 2 entries", "/cc.xml: 1 projects"] {
        assert!(read.contains(found), "{found}: {read}");
    }
}
