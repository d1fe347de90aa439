//! Settings that do nothing, since another one is missing or says otherwise. They are warnings: the
//! file means something without them.
//!
//! Here are those that one look at the table tells. Settings that a bundle of defaults brings into
//! an entry are not told, since other entries may need them.

use super::shape::of;
use super::tree::{Data, Fields};
use crate::text;

/// When a setting does nothing.
#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    /// The table has none of these keys, or they say `false`.
    Without(&'static [&'static str]),
    /// The table has this key with one of these values, as TOML writes them.
    Beside(&'static str, &'static [&'static str]),
}

use When::{Beside, Without};

/// A setting that may do nothing.
#[derive(Debug)]
pub(super) struct Idle {
    /// Its table, as in shapes.
    pub(super) place: &'static str,
    /// The types of table; none: all.
    pub(super) kinds: &'static [&'static str],
    pub(super) key: &'static str,
    pub(super) when: When,
}

const fn row(
    place: &'static str,
    kinds: &'static [&'static str],
    key: &'static str,
    when: When,
) -> Idle {
    Idle {
        place,
        kinds,
        key,
        when,
    }
}

const NEVER: When = Beside("merge_requests", &["false", "\"never\""]);
const SECRET: When = Without(&["secret", "secret_file", "secret_env"]);
const STABLE: When = Without(&["tree_stable_timer"]);
const TREE: &[&str] = &["Scheduler", "AnyBranch"];
const WEBHOOK: &[&str] = &["webhook"];

pub(super) const IDLE: &[Idle] = &[
    row("", &[], "login", Without(&["web"])),
    row("", &[], "merge_by", NEVER),
    row("", &[], "merge_limit", NEVER),
    row("", &[], "merge_compare_properties", NEVER),
    row("builders", &[], "merge_by", NEVER),
    row("builders", &[], "merge_limit", NEVER),
    row("builders", &[], "merge_compare_properties", NEVER),
    row("schedulers", TREE, "longest_wait", STABLE),
    row("schedulers", TREE, "timer_from", STABLE),
    row("schedulers", TREE, "unimportant_resets_timer", STABLE),
    row(
        "steps",
        &[],
        "progress_metrics",
        Beside("use_progress", &["false"]),
    ),
    row(
        "steps",
        &[],
        "infrastructure_lines",
        Beside("infrastructure", &["true"]),
    ),
    row(
        "steps",
        &["ShellCommand"],
        "lazy_logfiles",
        Without(&["logfiles"]),
    ),
    row(
        "steps",
        &["SetPropertyFromCommand"],
        "strip",
        Without(&["property"]),
    ),
    row(
        "steps",
        &["Git"],
        "remote_submodules",
        Without(&["submodules"]),
    ),
    row(
        "steps",
        &["Git"],
        "ssh_known_hosts",
        Without(&["ssh_private_key"]),
    ),
    row(
        "steps",
        &["Git"],
        "ssh_host_key",
        Without(&["ssh_private_key"]),
    ),
    row(
        "steps",
        &["SVN"],
        "keep_on_purge",
        Without(&["mode", "always_purge"]),
    ),
    row(
        "steps",
        &["SVN"],
        "ignore_ignores",
        Without(&["mode", "always_purge"]),
    ),
    row("steps", &["P4"], "p4branch", Without(&["p4base"])),
    row("steps", &["P4"], "p4extra_views", Without(&["p4base"])),
    row(
        "steps",
        &["P4"],
        "p4viewspec_suffix",
        Without(&["p4viewspec"]),
    ),
    row("steps", &["P4"], "use_tickets", Without(&["p4passwd"])),
    row("steps", &[], "url_text", Without(&["url"])),
    row("steps", &[], "tests_decide", Without(&["tests"])),
    row("steps", &[], "tests_required", Without(&["tests"])),
    row(
        "steps",
        &["Trigger"],
        "unimportant_schedulers",
        Without(&["wait_for_finish"]),
    ),
    row(
        "steps",
        &["CancelRelatedBuilds"],
        "reason",
        Without(&["stop_running"]),
    ),
    row(
        "change_sources",
        &["P4Source"],
        "ticket_login_interval",
        Without(&["use_tickets"]),
    ),
    row(
        "change_sources",
        &["GerritChangeSource"],
        "catch_up_interval",
        Without(&["events_log"]),
    ),
    row(
        "change_sources",
        &[],
        "trusted",
        Beside("approval", &["\"never\""]),
    ),
    row("status", &["IRC"], "ca_file", Beside("tls", &["false"])),
    row(
        "status",
        &["MailNotifier"],
        "ca_file",
        Beside("tls", &["\"none\""]),
    ),
    row("status", &["MailNotifier"], "html", Without(&["template"])),
    row("status", &["IRC"], "sasl_account", Without(SASL)),
    row("status", WEBHOOK, "previous_secret", SECRET),
    row("status", WEBHOOK, "previous_secret_file", SECRET),
    row("status", WEBHOOK, "previous_secret_env", SECRET),
    row("web", &[], "groups_header", Without(&["user_header"])),
];

/// The flags among them that are true where nothing is said.
const USUALLY_TRUE: [&str; 3] = ["ignore_ignores", "strip", "tests_decide"];

/// What logs a bot in.
const SASL: &[&str] = &[
    "sasl_password",
    "sasl_password_file",
    "sasl_password_env",
    "certificate_file",
];

impl Idle {
    /// What is wrong with the settings `fields` of a table of the type `kind`, and what would be
    /// right, if it is that.
    pub(super) fn told(
        &self,
        kind: &str,
        fields: &Fields,
        label: &str,
    ) -> Option<(String, String)> {
        let is_of_kind = self.kinds.is_empty() || self.kinds.contains(&kind);
        let usual = USUALLY_TRUE.contains(&self.key).to_string();
        let is_set = fields
            .get(self.key)
            .is_some_and(|value| says(&value.data) != usual);
        if !is_of_kind || !is_set {
            return None;
        }
        let setting = of(self.key, label);
        match self.when {
            Without(others) => {
                let has = |other: &&str| {
                    let value = fields.get(other);
                    value.is_some_and(|value| says(&value.data) != "false")
                };
                let names = text::or(others.iter().map(|other| format!("`{other}`")));
                (!others.iter().any(has)).then(|| {
                    let message = format!("{setting} does nothing without {names}");
                    (message, "add that, or remove this".to_owned())
                })
            }
            Beside(other, values) => {
                let said = says(&fields.get(other)?.data);
                values.contains(&said.as_str()).then(|| {
                    let message = format!("{setting} does nothing beside `{other} = {said}`");
                    (message, "remove one of the two".to_owned())
                })
            }
        }
    }
}

/// A flag or a string as TOML writes it; nothing for others.
fn says(data: &Data) -> String {
    match (data.as_bool(), data.as_str()) {
        (Some(flag), _) => flag.to_string(),
        (None, Some(text)) => format!("{text:?}"),
        (None, None) => String::new(),
    }
}
