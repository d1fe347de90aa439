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
        request.order = order_of(request, state, config)?;
    }
    Ok(())
}

/// The values by which `request` is ordered among those of its builder, by this configuration;
/// nothing if the builder has no order of its own.
pub(super) fn order_of(
    request: &Request,
    state: &State,
    config: &Config,
) -> Result<Option<Vec<f64>>, StoreError> {
    let builder = config.builder(request.builder.as_str());
    let Some(builder) = builder.filter(|b| !b.queue.request_order.is_empty()) else {
        return Ok(None);
    };
    let (stamps, _) = state.wishes(&[request.id])?;
    let set = state.build_set(request.set)?;
    let (Some(stamps), Some(set)) = (stamps.into_iter().next(), set) else {
        return Ok(None);
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
    Ok(request_order(config, builder, &wanted))
}
