//! By what requests that wait are ordered among those of their builder (CFL-158).

use super::{Request, RequestState};
use crate::botmaster::request_order;
use crate::config::Config;
use crate::model::BuildRequest;
use crate::store::{State, StoreError};

/// Adds the values of `request_order` to the requests that wait, by this configuration.
///
/// # Errors
/// The state cannot be read.
pub fn add_orders(
    requests: &mut [Request],
    state: &State,
    config: &Config,
) -> Result<(), StoreError> {
    let pending = |request: &&mut Request| request.state == RequestState::Pending;
    for request in requests.iter_mut().filter(pending) {
        let builder = config.builder(request.builder.as_str());
        let Some(builder) = builder.filter(|b| !b.queue.request_order.is_empty()) else {
            continue;
        };
        let (stamps, _) = state.wishes(&[request.id])?;
        let set = state.build_set(request.set)?;
        let (Some(stamps), Some(set)) = (stamps.into_iter().next(), set) else {
            continue;
        };
        let wanted = BuildRequest {
            id: request.id,
            set: request.set,
            builder: request.builder.clone(),
            stamps,
            reason: request.reason.as_str().into(),
            properties: set.properties.into(),
            submitted_at: request.submitted_at,
            priority: request.priority,
            retries: request.retries,
            start_count: request.starts,
        };
        request.order = request_order(config, builder, &wanted);
    }
    Ok(())
}
