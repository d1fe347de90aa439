//! What bots on IRC would say of a build, and of problems to a person (IRC-10, ESC-08).

use std::sync::Arc;

use super::{Preview, PreviewKind, or_why};
use crate::config::{IrcConfig, Telling};
use crate::model::{BuildFacts, LetterFacts, NewsMode, ProblemsTold};
use crate::status::irc::{said_of_build, said_to};
use crate::status::outbox::mail::Post;
use crate::status::outbox::turns::Failure;

impl Preview {
    /// What the bot of a target would say; absent if it says nothing of this kind.
    pub(super) async fn said(
        &self,
        post: &Post,
        irc: &IrcConfig,
    ) -> Result<Option<String>, String> {
        let is_its = match self.kind {
            PreviewKind::Build => true,
            PreviewKind::Problem => irc.problems,
            PreviewKind::BuildSet | PreviewKind::MissingSlave => false,
        };
        if !is_its {
            return Ok(None);
        }
        // Which ends are told is for `notify_events` to say.
        let telling = Telling {
            modes: NewsMode::OF_ALL.to_vec(),
            ..irc.telling.clone()
        };
        let case = self.case(post, &telling).await?;
        let (letter, mut shown) = self.begun(&telling.name, case);
        #[expect(clippy::wildcard_enum_match_arm, reason = "bots say nothing of others")]
        let said = match &letter.facts {
            LetterFacts::Build(facts) => self.said_of_build(post, irc, facts).await,
            LetterFacts::Problems(told) => said_of_problems(post, irc, told),
            _ => Ok(String::new()),
        };
        shown += &or_why(said);
        Ok(Some(shown))
    }

    async fn said_of_build(
        &self,
        post: &Post,
        irc: &IrcConfig,
        facts: &BuildFacts,
    ) -> Result<String, Failure> {
        let text = post.words_of_build(facts, irc).await?;
        let (config, irc, facts) = (Arc::clone(&post.config), irc.clone(), facts.clone());
        let looking = post
            .reader
            .read(move |state| said_of_build(state, (&config, &irc), &facts, text.as_deref()));
        let lines = looking
            .await
            .map_err(|error| Failure::Later(error.to_string()))?;
        Ok(match lines.is_empty() {
            true => "(Nothing is said: no channel hears of such an end, see `notify_events`.)\n"
                .to_owned(),
            false => lines.join("\n") + "\n",
        })
    }
}

/// What a person would be told in private.
fn said_of_problems(post: &Post, irc: &IrcConfig, told: &ProblemsTold) -> Result<String, Failure> {
    let text = post.brief(told, |_| true)?;
    let lines = said_to((&post.config, irc), &told.person, &text);
    let person = &told.person;
    Ok(format!(
        "(It is said only while {person} is likely to see it.)\n{}\n",
        lines.join("\n")
    ))
}
