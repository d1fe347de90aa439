//! Where a request stands: in the queue of its builder, and among those of all builders.

use std::cmp::Reverse;

use super::judge::Order;
use crate::model::RequestId;

/// A request and its priority. Numbers tell the age: a clock that is set changes no order.
pub(in crate::botmaster) type RequestKey = (Reverse<i32>, RequestId);

/// The place of a request among those of all builders: its own priority, the builder's, its age.
pub(in crate::botmaster) type Turn = (Reverse<i32>, Reverse<i32>, RequestId);

/// The place of a request in the queue of its builder: its priority, the higher first, then the
/// order that the builder has, then its age (BRQ-02, BRQ-03, BRQ-09, CFL-120, CFL-121). A request
/// that is put back has the same place as before (BLD-10, SB-02).
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Place {
    pub(super) priority: Reverse<i32>,
    pub(super) order: Order,
    pub(super) id: RequestId,
}

impl Place {
    pub(super) const fn key(&self) -> RequestKey {
        (self.priority, self.id)
    }
}

/// The turn of a request of a builder with this priority. Where the builder has an order of its
/// own, a request may have a later turn than one behind it.
pub(super) const fn turn_of((own, id): RequestKey, builder: i32) -> Turn {
    (own, Reverse(builder), id)
}
