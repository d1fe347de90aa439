//! Addresses of ours by the outside name of the master: what a login provider needs.

use crate::config::Config;

/// The address that begins a login at the provider.
pub(super) const BEGIN: &str = "/login/oidc";

/// The address to which the provider sends the browser back.
pub(super) const CALLBACK: &str = "/login/oidc/callback";

/// The link on the login page: what the provider is called, and the address that begins a login
/// there. That has the outside name, as the provider sends browsers back to it.
pub(super) fn link(config: &Config, next: &str) -> Option<(String, String)> {
    let oidc = config.oidc()?;
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("next", next);
    let address = format!("{}?{}", outside(config, BEGIN), query.finish());
    Some((oidc.label.clone(), address))
}

/// An address of ours by the outside name of the master.
pub(super) fn outside(config: &Config, path: &str) -> String {
    format!("{}{path}", config.buildbot_url.trim_end_matches('/'))
}
