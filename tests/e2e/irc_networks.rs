//! A bot on a network with TLS and services: InspIRCd and Atheme of Debian (IRC-01, IRC-05).

use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use crate::channels::Human;
use crate::harness::{Master, Process, Sandbox, Setup, free_port, run, shell, wait_until};

/// A network: a server with TLS, and its services.
struct Network {
    /// The port with TLS.
    port: u16,
    /// The port without it.
    plain: u16,
    _server: Process,
    _services: Process,
}

impl Network {
    /// Absent if a program of it is not installed.
    fn start(sandbox: &Sandbox) -> Option<Self> {
        let programs = [
            "/usr/sbin/inspircd",
            "/usr/bin/atheme-services",
            "/usr/bin/openssl",
        ];
        if let Some(missing) = programs.iter().find(|path| !Path::new(path).exists()) {
            eprintln!("skipped: {missing} is not installed");
            return None;
        }
        let [inspircd, atheme, openssl] = programs;
        let dir = sandbox.private_dir("network");
        let mut make = Command::new(openssl);
        make.args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "9000",
        ]);
        make.args(["-subj", "/CN=localhost", "-config"]);
        make.arg(sandbox.file("network/openssl.cnf", CERTIFICATE));
        make.arg("-keyout").arg(dir.join("key.pem"));
        run(make.arg("-out").arg(dir.join("cert.pem"))).ok();
        let [port, plain, link] = [free_port(), free_port(), free_port()];
        let settings = server_settings(&dir, [port, plain, link]);
        let file = sandbox.file("network/inspircd.conf", settings);
        let mut command = Command::new(inspircd);
        command
            .args(["--nofork", "--runasroot", "--config"])
            .arg(file);
        let server = Process::start("inspircd", &mut command);
        wait_until("the IRC server", || {
            TcpStream::connect(("127.0.0.1", plain)).is_ok()
        });
        let file = sandbox.file("network/atheme.conf", services_settings(link));
        let mut command = Command::new(atheme);
        command.arg("-n").arg("-c").arg(file).arg("-D").arg(&dir);
        command.arg("-p").arg(dir.join("atheme.pid"));
        command.arg("-l").arg(dir.join("atheme.log"));
        let services = Process::start("atheme", &mut command);
        services.wait_for_line("finished synching");
        Some(Self {
            port,
            plain,
            _server: server,
            _services: services,
        })
    }

    /// Somebody with an account of their nick, whose password is `sesame7`.
    fn register(&self, nick: &str) -> Human {
        let mut human = Human::join(self.plain, nick);
        human.send(&format!(
            "PRIVMSG NickServ :REGISTER sesame7 {nick}@example.org"
        ));
        human.waits_for("is now registered");
        human
    }
}

/// What the certificate of the server is like: of no authority, and for `localhost`.
const CERTIFICATE: &str = "[req]\ndistinguished_name = dn\nx509_extensions = ext\n[dn]\n[ext]\n\
                           subjectAltName = DNS:localhost\n\
                           basicConstraints = critical, CA:FALSE\n";

fn server_settings(dir: &Path, [port, plain, link]: [u16; 3]) -> String {
    let dir = dir.display();
    let modules = [
        "ssl_gnutls",
        "cap",
        "sasl",
        "services_account",
        "spanningtree",
        "ircv3",
        "ircv3_accounttag",
        "ircv3_ctctags",
        "chghost",
        "hidechans",
    ];
    let modules = modules.map(|name| format!("<module name=\"{name}\">\n"));
    format!(
        "<server name=\"irc.test.local\" description=\"test\" network=\"test\" id=\"1AA\">\n\
         <admin name=\"a\" nick=\"a\" email=\"a@example.org\">\n\
         <bind address=\"127.0.0.1\" port=\"{port}\" type=\"clients\" ssl=\"gnutls\">\n\
         <bind address=\"127.0.0.1\" port=\"{plain}\" type=\"clients\">\n\
         <bind address=\"127.0.0.1\" port=\"{link}\" type=\"servers\">\n\
         <path configdir=\"{dir}\" datadir=\"{dir}\" logdir=\"{dir}\" runtimedir=\"{dir}\">\n\
         <pid file=\"{dir}/inspircd.pid\">\n{}\
         <gnutls certfile=\"{dir}/cert.pem\" keyfile=\"{dir}/key.pem\">\n\
         <sasl target=\"services.test.local\">\n\
         <connect allow=\"*\" timeout=\"60\" localmax=\"100\" globalmax=\"100\" fakelag=\"no\" \
         commandrate=\"100000\" threshold=\"100\" recvq=\"65536\" sendq=\"1000000\" \
         maxchans=\"20\">\n\
         <performance nouserdns=\"yes\"><dns enabled=\"no\">\n\
         <uline server=\"services.test.local\" silent=\"yes\">\n\
         <link name=\"services.test.local\" ipaddr=\"127.0.0.1\" port=\"1\" \
         allowmask=\"127.0.0.1\" sendpass=\"linkpw\" recvpass=\"linkpw\">\n",
        modules.concat()
    )
}

fn services_settings(link: u16) -> String {
    let modules = [
        "protocol/inspircd",
        "backend/opensex",
        "crypto/pbkdf2v2",
        "nickserv/main",
        "nickserv/register",
        "nickserv/identify",
        "saslserv/main",
        "saslserv/plain",
    ];
    let modules = modules.map(|name| format!("loadmodule \"modules/{name}\";\n"));
    format!(
        "{}serverinfo {{ name = \"services.test.local\"; desc = \"services\"; numeric = \"00A\"; \
         recontime = 1; netname = \"test\"; hidehostsuffix = \"users\"; adminname = \"a\"; \
         adminemail = \"a@example.org\"; registeremail = \"no@example.org\"; auth = none; \
         mta = \"/bin/true\"; loglevel = {{ error; info; }}; maxlogins = 50; maxusers = 50; \
         mdlimit = 30; emaillimit = 10; emailtime = 300; casemapping = rfc1459; }};\n\
         uplink \"irc.test.local\" {{ host = \"127.0.0.1\"; port = {link}; \
         send_password = \"linkpw\"; receive_password = \"linkpw\"; }};\n\
         nickserv {{ nick = \"NickServ\"; user = \"NickServ\"; host = \"services.test.local\"; \
         real = \"n\"; }};\n\
         saslserv {{ nick = \"SaslServ\"; user = \"SaslServ\"; host = \"services.test.local\"; \
         real = \"s\"; }};\ndatabase {{ }};\n",
        modules.concat()
    )
}

#[test]
fn irc_01_irc_05_a_bot_logs_in_over_tls_and_knows_people_by_their_accounts() {
    let sandbox = Sandbox::new();
    let Some(network) = Network::start(&sandbox) else {
        return;
    };
    let mut owner = network.register("bb");
    owner.send("QUIT");
    owner.waits_for("ERROR");
    let mut ann = network.register("ann");
    let target = format!(
        "[[status]]\ntype = \"IRC\"\nhost = \"localhost\"\nport = {}\nnick = \"bb\"\n\
         ca_file = \"network.pem\"\nsasl_password = \"sesame7\"\nchannels = [\"#dev\"]\n\
         lost_delay = \"1s\"\nfailed_delay = \"1s\"\n[people.carol]\nirc = \"ann\"\n\
         [[permissions]]\nwho = [\"carol\"]\nmay = [\"force\", \"reconfigure\"]\n\
         [[permissions]]\nwho = [\"anyone\"]\nmay = [\"view\"]\n",
        network.port
    );
    let setup = Setup::new(&[shell("make", "true", "")])
        .local_slave("bot")
        .tables(&target);
    let mut master = Master::prepare(&sandbox, &setup);
    // A name of a file is one in the base directory.
    let certificate = sandbox.path("network/cert.pem");
    std::fs::copy(certificate, master.dir().join("network.pem")).unwrap();
    master.run();
    master.wait_until_attached("bot");
    ann.waits_for(":bb!");
    ann.send("WHOIS bb");
    ann.waits_for(" 330 ann bb bb :is logged in as");
    ann.says("bb: force build full because");
    ann.waits_for("build 0 of full forced");
    assert_eq!(master.finished_build("full", 0).number, 0);
    ann.says("bb: join #other");
    ann.waits_for("coming to #other");

    // The same nick without the account is nobody.
    ann.send("QUIT");
    ann.waits_for("ERROR");
    let mut eve = Human::join(network.plain, "ann");
    eve.says("bb: force build full because");
    eve.waits_for("may not force");
    eve.says("bb: join #more");
    eve.waits_for("only for people whom I know");
    let mut audit = master.program();
    let audit = run(audit.args(["audit", "--basedir"]).arg(master.dir())).ok();
    assert!(audit.contains("had the bot join #other"), "{audit}");
}
