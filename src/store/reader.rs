//! Reading the state from async code.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{State, StoreError};
use crate::model::Unseen;

/// Reads the state of one base directory on threads that may block. Cheap to clone.
///
/// It keeps a few connections that nobody uses now, and opens more when all are in use.
#[derive(Clone, Debug)]
pub struct Reader {
    basedir: Arc<Path>,
    /// A leaf cache: never held while something is read.
    idle: Arc<Mutex<Idle>>,
    /// What is not read.
    unseen: Arc<Unseen>,
}

/// Connections that nobody uses now.
#[derive(Debug, Default)]
struct Idle {
    states: Vec<State>,
    /// The same, with the views that hide something.
    hiding: Vec<State>,
    /// No connection is kept any more.
    closed: bool,
}

impl Reader {
    /// Will read the state in `basedir`.
    #[must_use]
    pub fn new(basedir: &Path) -> Self {
        Self {
            basedir: Arc::from(basedir),
            idle: Arc::default(),
            unseen: Arc::default(),
        }
    }

    /// Reads the same state as if it had nothing of this (MAY-04).
    #[must_use]
    pub fn without(&self, unseen: &Arc<Unseen>) -> Self {
        Self {
            unseen: Arc::clone(unseen),
            ..self.clone()
        }
    }

    /// Runs `look` on a thread that may block, with the state as it is when `look` reads it.
    ///
    /// # Errors
    /// The state cannot be opened, or what `look` says.
    pub async fn read<T, E>(
        &self,
        look: impl FnOnce(&State) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.look(None, look).await
    }

    /// Runs `look` as [`Reader::read`] does; what is read after `limit` ends with an error.
    ///
    /// # Errors
    /// The state cannot be opened, [`StoreError::TooLong`], or what `look` says.
    pub async fn read_within<T, E>(
        &self,
        limit: Duration,
        look: impl FnOnce(&State) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.look(Some(limit), look).await
    }

    async fn look<T, E>(
        &self,
        limit: Option<Duration>,
        look: impl FnOnce(&State) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let reader = self.clone();
        let looking = crate::blocking::run(move || {
            let idle = reader.kept(&mut reader.idle()).pop();
            let mut state = idle.map_or_else(|| State::open_readonly(&reader.basedir), Ok)?;
            state.limit_reading(limit)?;
            if !reader.unseen.is_empty() {
                state.hide(&reader.unseen)?;
            }
            let found = look(&state)?;
            // After an error the connection is not kept: the next reader opens the file anew.
            let mut idle = reader.idle();
            if !idle.closed && reader.kept(&mut idle).len() < MOST_IDLE {
                reader.kept(&mut idle).push(state);
            }
            Ok(found)
        });
        let unfinished = |error: tokio::task::JoinError| StoreError::Unfinished {
            why: error.to_string(),
        };
        looking.await.map_err(unfinished)?
    }

    /// Closes the connections that nobody uses, and keeps none from now on. The connection that is
    /// closed last should be the writer's, which brings everything into one file.
    pub(super) fn close(&self) {
        let mut idle = self.idle();
        idle.closed = true;
        idle.states.clear();
        idle.hiding.clear();
    }

    /// The kept connections that are fit for this reader.
    fn kept<'a>(&self, idle: &'a mut Idle) -> &'a mut Vec<State> {
        match self.unseen.is_empty() {
            true => &mut idle.states,
            false => &mut idle.hiding,
        }
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Most connections that are kept open while nobody reads.
const MOST_IDLE: usize = 4;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::store::Store;

    fn read<T: Send + 'static>(
        reader: &Reader,
        look: impl FnOnce(&State) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(reader.read(look))
    }

    #[test]
    fn a_reader_keeps_the_connection_it_has_used() {
        let dir = tempfile::tempdir().unwrap();
        Store::open(dir.path()).unwrap();
        let reader = Reader::new(dir.path());
        for _ in 0..2 {
            assert_eq!(read(&reader, State::builder_names).unwrap(), []);
            assert_eq!(reader.idle().states.len(), 1);
        }
    }

    #[test]
    fn a_closed_reader_keeps_no_connection() {
        let dir = tempfile::tempdir().unwrap();
        Store::open(dir.path()).unwrap();
        let reader = Reader::new(dir.path());
        assert_eq!(read(&reader, State::builder_names).unwrap(), []);
        reader.close();
        assert_eq!(reader.idle().states.len(), 0);
        assert_eq!(read(&reader, State::builder_names).unwrap(), []);
        assert_eq!(reader.idle().states.len(), 0);
    }

    #[test]
    fn what_is_read_after_its_time_ends_with_an_error() {
        let dir = tempfile::tempdir().unwrap();
        Store::open(dir.path()).unwrap();
        let reader = Reader::new(dir.path());
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.unwrap();
        let long = |state: &State| state.count_for_long();
        let error = runtime.block_on(reader.read_within(Duration::ZERO, long));
        let error = error.unwrap_err();
        assert!(matches!(error, StoreError::TooLong { .. }), "{error}");
        let found = runtime.block_on(reader.read(long));
        assert_eq!(found.unwrap(), 100_000);
    }

    #[test]
    fn a_connection_that_has_failed_is_not_used_again() {
        let dir = tempfile::tempdir().unwrap();
        let reader = Reader::new(dir.path());
        let error = read(&reader, State::builder_names).unwrap_err();
        assert!(matches!(error, StoreError::NoState { .. }), "{error}");
        Store::open(dir.path()).unwrap();
        let failed = read(&reader, |_| -> Result<(), _> {
            Err(StoreError::Unfinished { why: String::new() })
        });
        failed.unwrap_err();
        assert_eq!(reader.idle().states.len(), 0);
    }
}
