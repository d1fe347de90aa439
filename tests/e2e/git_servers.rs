//! Servers of git: pushes over ssh and HTTP run the hooks of a bare repository, too.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use crate::git_settings::{SSH, program};
use crate::harness::{Master, Sandbox, Setup, shell};
use crate::hook_programs::{changes, commit, git_repository, sh, texts};

/// Where a bare repository can be pushed to.
pub(crate) struct Servers {
    /// The setting of git that names the program for ssh.
    pub(crate) ssh_setting: String,
    /// The addresses over ssh and over HTTP.
    pub(crate) urls: [String; 2],
}

impl Servers {
    /// Serves `bare` as long as the tests run.
    pub(crate) fn of(sandbox: &Sandbox, bare: &Path) -> Self {
        let programs = sandbox.private_dir("ssh");
        program(&programs, "ssh", SSH);
        let (root, name) = (bare.parent().unwrap(), bare.file_name().unwrap());
        let port = serve(sandbox.command("git"), root.to_owned());
        Self {
            ssh_setting: format!("core.sshCommand={}/ssh", programs.display()),
            urls: [
                format!("git@host:{}", bare.display()),
                format!("http://127.0.0.1:{port}/{}", name.display()),
            ],
        }
    }
}

/// Serves the repositories below `root` with `git http-backend`, to anybody for any use. Returns
/// the port.
fn serve(git: Command, root: PathBuf) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let variables: Vec<_> = git
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut git = Command::new("git");
            git.env_clear().envs(variables.iter().cloned());
            git.arg("http-backend").env("GIT_PROJECT_ROOT", &root);
            // A client that has gone is of no interest.
            drop(answer(stream, git));
        }
    });
    port
}

/// Answers a request by a program of CGI.
fn answer(mut stream: TcpStream, mut cgi: Command) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut head = Vec::new();
    for line in reader.by_ref().lines() {
        match line? {
            line if line.is_empty() => break,
            line => head.push(line),
        }
    }
    let header = |name: &str| {
        let mut fields = head.iter().filter_map(|line| line.split_once(": "));
        let found = fields.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    };
    let mut words = head.first().map_or("", String::as_str).split(' ');
    let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    cgi.env("REQUEST_METHOD", method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", header("content-length"))
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .env("GIT_HTTP_EXPORT_ALL", "1")
        // Whoever has a name may push.
        .env("REMOTE_USER", "ann");
    let length: u64 = header("content-length").parse().unwrap_or(0);
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body)?;
    let mut process = cgi
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()?;
    process.stdin.take().unwrap().write_all(&body)?;
    let said = process.wait_with_output()?.stdout;
    write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n")?;
    stream.write_all(&said)
}

#[test]
fn hkn_02_pushes_over_ssh_and_http_are_told() {
    let sandbox = Sandbox::new();
    let setup = Setup::new(&[shell("make", "true", "")]).slave("nobody");
    let master = Master::start(&sandbox, &setup);
    let (bare, clone) = git_repository(&sandbox, master.port(), &[]);
    let servers = Servers::of(&sandbox, &bare);
    let mut expected = Vec::new();
    for url in &servers.urls {
        expected.push(commit(&sandbox, &clone, "a.c", url));
        let words = ["git", "-c", &servers.ssh_setting, "push", "-q", url, "main"];
        sh(&sandbox, &clone, &words);
        assert_eq!(texts(&changes(&master), "revision"), expected);
    }
}
