//! `[login]`: how people log in besides with a password of the master (LGN-04, LGN-06).

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::needs::Needed;
use super::reader::{Table, Value};
use super::secret::Secret;
use super::shape::Shape;

/// How people log in besides with a password of the master.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct LoginConfig {
    /// The OpenID Connect provider.
    pub oidc: Option<OidcConfig>,
    /// A password file of Apache, relative to the base directory (LGN-06).
    pub htpasswd_file: Option<PathBuf>,
}

/// An OpenID Connect provider, where people log in.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct OidcConfig {
    /// The address of the provider, exactly as the provider writes it.
    pub issuer: String,
    /// The name of the master at the provider.
    pub client_id: String,
    /// The secret of the master at the provider; absent: the master is a public client.
    pub client_secret: Option<Secret>,
    /// What the login page calls the provider: the host of the issuer.
    pub label: String,
    /// What is asked for: `openid`, `email` and `profile`.
    pub scopes: Vec<String>,
    /// By the name of a claim and its value: the role that people have who log in with it.
    pub roles: BTreeMap<String, BTreeMap<String, String>>,
    /// The claim with the name of a person in this master; absent: names at the provider do not
    /// count.
    pub name_claim: Option<String>,
    /// Whether people can log in whom the register does not have yet: true.
    pub new_people: bool,
}

pub(super) static SHAPE: Shape = Shape {
    place: "login",
    noun: "login",
    keys: &["oidc", "htpasswd_file"],
    kinds: Vec::new,
};

pub(super) static OIDC: Shape = Shape {
    place: "login.oidc",
    noun: "provider",
    keys: &[
        "issuer",
        "client_id",
        "client_secret_file",
        "client_secret_env",
        "label",
        "scopes",
        "roles",
        "name_claim",
        "new_people",
    ],
    kinds: Vec::new,
};

impl LoginConfig {
    /// Takes the table. `buildbot_url` is the address of the master, if the file has it.
    pub(super) fn read(value: &Value<'_>, buildbot_url: Option<&str>) -> Option<Self> {
        let mut table = value.table(&SHAPE)?;
        let mut login = Self::default();
        let is_empty = SHAPE.keys.iter().all(|key| table.place(key).is_none());
        table.set_some("oidc", &mut login.oidc, |value| {
            OidcConfig::read(value, buildbot_url)
        });
        table.set_some("htpasswd_file", &mut login.htpasswd_file, |value| {
            let path = PathBuf::from(value.name()?);
            value.needs(Needed::PasswordFile(path.clone()));
            Some(path)
        });
        if is_empty {
            let message = "`[login]` lets nobody log in".to_owned();
            let help = "add `oidc` or `htpasswd_file`, or remove the table";
            table.sink.warning(table.span.clone(), message, help);
        }
        table.finish();
        Some(login)
    }
}

impl OidcConfig {
    fn read(value: &Value<'_>, buildbot_url: Option<&str>) -> Option<Self> {
        let mut table = value.table(&OIDC)?;
        table.label = "the login provider".into();
        let issuer = table.require("issuer", "\"https://id.example.org\"");
        let issuer = issuer.and_then(|value| issuer_of(&value));
        let client_id = table.require("client_id", "\"ci\"");
        let client_id = client_id.and_then(|value| value.name().map(str::to_owned));
        let host = issuer.as_deref().map_or("", host_of).to_owned();
        let mut oidc = Self {
            issuer: issuer.unwrap_or_default(),
            client_id: client_id.unwrap_or_default(),
            client_secret: secret(&mut table),
            label: host,
            scopes: ["openid", "email", "profile"].map(str::to_owned).to_vec(),
            roles: BTreeMap::new(),
            name_claim: None,
            new_people: true,
        };
        table.set("label", &mut oidc.label, |v| v.name().map(str::to_owned));
        table.set("scopes", &mut oidc.scopes, scopes);
        table.set("roles", &mut oidc.roles, |v| Some(roles(v)));
        table.set_some("name_claim", &mut oidc.name_claim, |v| {
            v.name().map(str::to_owned)
        });
        table.set("new_people", &mut oidc.new_people, Value::flag);
        check_own_address(&table, buildbot_url);
        table.finish();
        Some(oidc)
    }
}

/// The provider sends browsers back to the master by its outside name, and to nothing else.
fn check_own_address(table: &Table<'_>, buildbot_url: Option<&str>) {
    let (message, help) = match buildbot_url {
        Some(url) if is_safe(url) => return,
        Some(_) => (
            "the login provider sends people back to `buildbot_url`, which has no TLS",
            "use an address that begins with `https://`, or others can read the login",
        ),
        None => (
            "the login provider sends people back to `buildbot_url`, which the file does not have",
            "add the address at which browsers reach the pages, such as \
             `buildbot_url = \"https://ci.example.org/\"`",
        ),
    };
    let span = table.span.clone();
    table.sink.warning(span, message.to_owned(), help);
}

/// The address of a provider: with TLS, or on this machine.
fn issuer_of(value: &Value<'_>) -> Option<String> {
    let issuer = value.name()?;
    let is_bare = !issuer.contains(['?', '#', ' ', '@']);
    if !issuer.starts_with("http://") && !issuer.starts_with("https://") || !is_bare {
        value.error(
            "is not the address of a provider",
            "write it as the provider does, such as \"https://id.example.org/realms/main\"",
        );
        return None;
    }
    if !is_safe(issuer) {
        value.error(
            "has no TLS",
            "only a provider on this machine can be without it",
        );
        return None;
    }
    Some(issuer.to_owned())
}

/// Whether nobody else can read what is sent to an address.
fn is_safe(url: &str) -> bool {
    let loopback = ["localhost", "127.0.0.1", "[::1]"];
    url.starts_with("https://") || loopback.contains(&host_of(url))
}

/// The host of an address, without the port.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// The secret in one of its two forms.
fn secret(table: &mut Table<'_>) -> Option<Secret> {
    let file = table.take("client_secret_file");
    let env = table.take("client_secret_env");
    if let (Some(file), Some(env)) = (&file, &env) {
        table.sink.clash(
            (env.key_span.clone(), file.key_span.clone()),
            format!("{} has two client secrets", table.label),
            "here is the other",
            "keep one of the two",
        );
    }
    let value = file.as_ref().or(env.as_ref())?;
    let text = value.name()?;
    let secret = match file {
        Some(_) => Secret::File(text.into()),
        None => Secret::Env(text.to_owned()),
    };
    value.needs(Needed::Password {
        secret: secret.clone(),
        may_be_hash: false,
    });
    Some(secret)
}

fn scopes(value: &Value<'_>) -> Option<Vec<String>> {
    let entries = value.one_or_list()?;
    let names = entries.iter().filter_map(Value::name);
    let mut scopes: Vec<_> = names.map(str::to_owned).collect();
    if !scopes.iter().any(|scope| scope == "openid") {
        scopes.insert(0, "openid".to_owned());
    }
    Some(scopes)
}

/// `{ CLAIM = { VALUE = ROLE } }`.
fn roles(value: &Value<'_>) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut roles = BTreeMap::new();
    for (claim, table) in value.entries() {
        let entries = table.entries().into_iter();
        let entries =
            entries.filter_map(|(value, role)| Some((value.to_owned(), role.name()?.to_owned())));
        roles.insert(claim.to_owned(), entries.collect());
    }
    roles
}
