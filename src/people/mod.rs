//! People: who somebody is, and who may do what.
//!
//! Invariants: everything is denied unless a rule of the configuration allows it, and a rule that
//! forbids wins. The control socket, the web and all other doors ask the same function,
//! [`may`](may()).

mod codeowners;
mod duty;
pub mod htpasswd;
mod listed;
mod mailmap;
mod may;
pub mod oidc;
mod one_click;
mod proxy;
mod register;
mod secrets;

pub use codeowners::{Codeowners, LARGEST_CODEOWNERS, PLACES};
pub use duty::on_duty;
pub use listed::{MOST_LISTED, parse_listed};
pub use mailmap::{Addition, LARGEST_MAILMAP, MailmapPerson, additions, parse_mailmap};
pub use may::{Actor, Decision, Ground, is_about, may};
pub use one_click::{NoLink, OneClick};
pub use proxy::{ProxyUser, proxy_user};
pub use register::{FoundBy, OPERATOR, Register, SHERIFF};
pub use secrets::{
    LONGEST_TOKEN_DAYS, Lasting, TOKEN_DAYS, TOKEN_PREFIX, csrf, hash_of, is_csrf, is_good,
    is_password, secret,
};
