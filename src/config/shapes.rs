//! All kinds of tables of the file, and where they are in it.

use super::schedulers::{codebases, rules, try_userpass};
use super::shape::Shape;
use super::{
    builders, change_sources, duty, factories, filter, hold, horizons, locks, login, logs, owners,
    people, permissions, problems, programs, repositories, schedulers, search, slaves, status,
    steps, texts, toplevel, user_managers, validation, web,
};

/// All kinds of tables, and where they are in the tree; `*` stands for any key or index.
pub(super) fn shapes() -> Vec<(&'static str, &'static Shape)> {
    vec![
        ("", &toplevel::SHAPE),
        ("log_rotation", &logs::LOG_ROTATION),
        ("build_horizon", &horizons::SHAPE),
        ("locks.*", &locks::SHAPE),
        ("slaves", &slaves::SHAPE),
        ("slaves.hold", &hold::SHAPE),
        ("factories.*", &factories::SHAPE),
        ("factories.*.steps", &steps::STEP),
        ("factories.*.steps.command", &texts::SECRET),
        ("factories.*.steps.description_suffix", &texts::POSITIONAL),
        ("factories.*.steps.logfiles.*", &steps::shell::LOG_FILE),
        ("factories.*.steps.decode_rc.*", &steps::shell::EXIT_CODE),
        ("factories.*.steps.tests", &steps::reports::REPORT),
        ("factories.*.steps.tests.format", &steps::reports::PROGRAM),
        ("factories.*.steps.watch", &steps::rules::watch::RULE),
        (
            "factories.*.steps.commands",
            &steps::programs::sequence::SEQUENCE_COMMAND,
        ),
        (
            "factories.*.steps.suppression_list",
            &steps::programs::warnings::SUPPRESSION,
        ),
        (
            "factories.*.steps.source_stamp",
            &steps::trigger::SOURCE_STAMP,
        ),
        (
            "factories.*.steps.git_credentials",
            &steps::git::access::CREDENTIALS,
        ),
        (
            "factories.*.steps.git_credentials.credentials",
            &steps::git::access::CREDENTIAL,
        ),
        ("factories.*.steps.for_each", &steps::trigger::FOR_EACH),
        (
            "factories.*.steps.builders_matching",
            &steps::trigger::BUILDERS_MATCHING,
        ),
        ("builders", &builders::SHAPE),
        ("builders.hold", &hold::SHAPE),
        ("builders.slave_check", &programs::SLAVE_CHECK),
        ("builders.locks", &locks::ACCESS),
        ("schedulers", &schedulers::SHAPE),
        ("schedulers.userpass", &try_userpass::USER),
        ("schedulers.important_files", &rules::IMPORTANT_FILES),
        ("schedulers.codebases.*", &codebases::CODEBASE),
        ("schedulers.codebases.*", &schedulers::FORCED_CODEBASE),
        ("schedulers.filter", &filter::FILTER),
        ("schedulers.filter.*", &filter::MATCH),
        ("repositories", &repositories::SHAPE),
        ("repositories.urls", &repositories::URL),
        ("repositories.host", &repositories::HOST),
        ("repositories.credentials", &repositories::CREDENTIALS),
        ("change_sources", &change_sources::SHAPE),
        ("change_sources.set", &change_sources::rules::SET),
        ("change_sources.filter", &filter::SOURCE_FILTER),
        ("change_sources.filter.*", &filter::MATCH),
        ("change_sources.branches", &change_sources::ref_rules::SHAPE),
        ("status", &status::SHAPE),
        ("status.channels", &status::irc::CHANNEL),
        ("user_managers", &user_managers::SHAPE),
        ("owners", &owners::SHAPE),
        ("duty", &duty::SHAPE),
        ("problems", &problems::SHAPE),
        ("web", &web::SHAPE),
        ("web.comment_links", &web::COMMENT_LINK),
        ("login", &login::SHAPE),
        ("search", &search::SHAPE),
        ("login.oidc", &login::OIDC),
        ("schedulers.parameters", &schedulers::PARAMETER),
        ("validation", &validation::SHAPE),
        ("people.*", &people::SHAPE),
        ("permissions", &permissions::SHAPE),
        ("permissions.on", &permissions::ON),
    ]
}
