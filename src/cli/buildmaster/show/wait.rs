//! `show builds --wait`: until nothing that leads to a build is under way.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::bail;

use super::schedulers::waiting as sentence;
use super::screen::Screen;
use super::source::configuration_of;
use crate::botmaster::Live;
use crate::clock::Clock;
use crate::model::BuilderName;
use crate::store::State;
use crate::text::commas;
use crate::view::{Queue, Scheduler};

/// How often the state is looked at.
const POLL: Duration = Duration::from_millis(200);

/// Waits until there are builds, of `builder` or of any, and until no build runs and neither a
/// request nor a tree that is to be stable waits for one. Says on standard error what it waits for.
///
/// # Errors
/// The state cannot be read, or no master runs that could do what is waited for.
pub(super) fn until_quiet(
    state: &State,
    builder: Option<&BuilderName>,
    screen: &mut Screen<'_>,
) -> anyhow::Result<()> {
    let mut printed = String::new();
    loop {
        // Looked at first: what a running master does is on disk when it has ended.
        let is_running = state.is_master_running();
        let Some(what) = under_way(state, builder, screen)? else {
            return Ok(());
        };
        if !is_running {
            bail!(
                "no master is running in {}: {what}",
                state.basedir().display()
            );
        }
        if what != printed {
            writeln!(screen.notes, "{what}")?;
            printed = what;
        }
        std::thread::sleep(POLL);
    }
}

/// What is under way that leads to a build; nothing if the builds can be shown.
fn under_way(
    state: &State,
    builder: Option<&BuilderName>,
    screen: &Screen<'_>,
) -> anyhow::Result<Option<String>> {
    let is_meant = |name: &BuilderName| builder.is_none_or(|builder| builder == name);
    let queue = Queue {
        builders: builder.map(std::slice::from_ref),
        ..Queue::default()
    };
    let open = queue.read(state, &Live::default(), &BTreeMap::new(), u32::MAX)?;
    let waiting = open.iter().filter(|request| request.build.is_none());
    let waiting: Vec<_> = waiting.map(|request| request.id).collect();
    let builders = state
        .builders()?
        .into_iter()
        .filter(|row| is_meant(&row.name));
    let running: Vec<_> = builders
        .flat_map(|row| {
            let numbers = row.building.into_iter();
            numbers.map(move |(number, _)| format!("{}/{number}", row.name))
        })
        .collect();
    if !running.is_empty() {
        return Ok(Some(format!("waiting for {} to end", commas(running))));
    }
    if !open.is_empty() {
        return Ok(Some(match &waiting[..] {
            [one] => format!(
                "waiting for request {one} to be built (`buildmaster why {one}` shows what it waits for)"
            ),
            all => format!("waiting for requests {} to be built", commas(all)),
        }));
    }
    if let Some(config) = configuration_of(state.basedir()) {
        let now = Clock::system().wall();
        let configs = config.schedulers.iter().map(AsRef::as_ref);
        for scheduler in Scheduler::all(Some(state), configs, now)? {
            let trees = match builder {
                Some(builder) => scheduler.waiting_for(builder),
                None => &scheduler.waiting,
            };
            if let Some(tree) = trees.iter().find(|tree| tree.is_timer) {
                return Ok(Some(sentence(tree, screen, now)));
            }
        }
    }
    match state.builds(builder, 1)?.is_empty() {
        true => Ok(Some("waiting for the first build".to_owned())),
        false => Ok(None),
    }
}
