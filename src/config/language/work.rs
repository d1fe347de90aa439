//! How much work the expressions of a configuration are, all together (CFL-70).

use serde_json::Value as Json;

use super::super::class::Class;
use super::super::expression::{Expression, Mistake};
use super::super::tree::Node;
use super::Farm;
use super::filling::Env;

impl Farm<'_> {
    /// What `expression` comes to, which stands at the byte `start` of the text `node`. Nothing as
    /// soon as all expressions together are too much work, which is told where it happens.
    pub(super) fn work_out(
        &mut self,
        expression: &Expression,
        (node, start): (&Node, usize),
        env: &Env,
    ) -> Option<Result<Option<Json>, Mistake>> {
        if self.work > MOST_WORK {
            return None;
        }
        let value = expression.evaluate_counting(&env.scope, &mut self.work);
        if self.work > MOST_WORK {
            let text = expression.text();
            let at = self.part(node, start..start + text.len());
            let message = format!(
                "up to `{text}`, the expressions of the configuration are more than {MOST_WORK} \
                 steps of work"
            );
            let help = "make fewer rows, or put what is the same in all of them into [vars]";
            self.told
                .error_in(Class::TooMuch, (&at, env.context), message, help);
            return None;
        }
        Some(value)
    }
}

/// How much work all expressions may be, in steps of the engine (CFL-70).
const MOST_WORK: u64 = 100_000_000;
