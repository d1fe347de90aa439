//! What the README shows to users is right.

use buildmaster::config;
use buildmaster::model::Zone;

#[test]
fn configuration_in_the_readme_is_accepted_without_warnings() {
    let readme = include_str!("../../README.md");
    let (_, from) = readme.split_once("```toml\n").expect("a configuration");
    let (text, _) = from.split_once("```").expect("its end");

    let (config, warnings) = config::parse(text, "README.md", &Ok(Zone::UTC))
        .unwrap_or_else(|errors| panic!("{}", errors.render(false)));

    assert_eq!(warnings, []);
    assert_eq!(config.builders.len(), 1);
}
