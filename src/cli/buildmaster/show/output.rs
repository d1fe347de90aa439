//! Where a page goes: tables for people, or one JSON object a line for programs.

use std::io;

use serde::Serialize;

use super::screen::Screen;
use crate::text::printable_json;

/// Prints what was asked for.
pub(super) struct Output<'a, 'b> {
    screen: &'a mut Screen<'b>,
    json: bool,
    limit: Option<u32>,
}

impl<'a, 'b> Output<'a, 'b> {
    /// Prints to `screen`, with `json` for programs, and of long lists at most `limit`.
    pub(super) const fn new(screen: &'a mut Screen<'b>, json: bool, limit: Option<u32>) -> Self {
        Self {
            screen,
            json,
            limit,
        }
    }

    /// How much of a long list is wanted.
    pub(super) const fn limit(&self) -> u32 {
        match self.limit {
            Some(limit) => limit,
            None if self.json => u32::MAX,
            None => LIMIT,
        }
    }

    /// Prints these views: for programs one a line, for people as `page` does.
    ///
    /// # Errors
    /// They cannot be printed.
    pub(super) fn print<T: Serialize>(
        &mut self,
        views: &[T],
        page: impl FnOnce(&mut Screen<'b>, &[T]) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        if self.json {
            return lines(self.screen, views);
        }
        Ok(page(self.screen, views)?)
    }

    /// Prints one view, as [`Output::print`] does.
    ///
    /// # Errors
    /// It cannot be printed.
    pub(super) fn print_one<T: Serialize>(
        &mut self,
        view: &T,
        page: impl FnOnce(&mut Screen<'b>, &T) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        if self.json {
            return lines(self.screen, std::slice::from_ref(view));
        }
        Ok(page(self.screen, view)?)
    }
}

/// Prints one JSON object a line.
///
/// # Errors
/// They cannot be printed.
pub(super) fn lines<T: Serialize>(screen: &mut Screen<'_>, values: &[T]) -> anyhow::Result<()> {
    for value in values {
        let text = serde_json::to_string(value)?;
        writeln!(screen.out, "{}", printable_json(&text))?;
    }
    Ok(())
}

/// How many people want to see.
const LIMIT: u32 = 20;
