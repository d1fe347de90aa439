//! The objects of a status client, and the numbers by which their calls are told apart.
//!
//! A number says by itself which object it stands for. So nothing has to be kept for an object, and
//! a client that follows the master for years costs no more than one that has just connected.

use crate::model::{BuildId, ChangeNumber, RequestId, SetId};

/// An object that the client can call.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Thing {
    /// The perspective.
    Perspective,
    /// A builder, by the place of its name.
    Builder(usize),
    /// A build.
    Build(BuildId),
    /// A step of a build.
    Step(BuildId, usize),
    /// A log of a step.
    Log(BuildId, usize, usize),
    /// A build set.
    Set(SetId),
    /// A request.
    Request(RequestId),
    /// A slave, by the place of its name.
    Slave(usize),
    /// The last time that this slave came or went.
    Event(usize),
    /// A change.
    Change(ChangeNumber),
}

impl Thing {
    /// The number of the thing; absent if the thing has more steps or logs before it than a number
    /// can say.
    pub(super) fn tag(self) -> Option<u64> {
        let place = |place: usize| u64::try_from(place).ok();
        let (kind, id, step, log) = match self {
            Self::Perspective => (0, 0, 0, 0),
            Self::Builder(at) => (1, place(at)?, 0, 0),
            Self::Build(id) => (2, id.0, 0, 0),
            Self::Step(id, step) => (3, id.0, place(step)?, 0),
            Self::Log(id, step, log) => (4, id.0, place(step)?, place(log)?),
            Self::Set(id) => (5, id.0, 0, 0),
            Self::Request(id) => (6, id.0, 0, 0),
            Self::Slave(at) => (7, place(at)?, 0, 0),
            Self::Event(at) => (8, place(at)?, 0, 0),
            Self::Change(number) => (9, number.0, 0, 0),
        };
        let fits = id >> ID_BITS == 0 && step >> STEP_BITS == 0 && log >> LOG_BITS == 0;
        let tag = ((kind << ID_BITS | id) << STEP_BITS | step) << LOG_BITS | log;
        fits.then_some(tag)
    }

    /// The set, if it is one.
    pub(super) const fn as_set(self) -> Option<SetId> {
        if let Self::Set(id) = self {
            return Some(id);
        }
        None
    }

    /// The thing of this number.
    pub(super) fn of_tag(tag: u64) -> Option<Self> {
        let part = |shift: u32, bits: u32| tag >> shift & ((1 << bits) - 1);
        let log = usize::try_from(part(0, LOG_BITS)).ok()?;
        let step = usize::try_from(part(LOG_BITS, STEP_BITS)).ok()?;
        let id = part(LOG_BITS + STEP_BITS, ID_BITS);
        let at = usize::try_from(id).ok()?;
        Some(match tag >> (LOG_BITS + STEP_BITS + ID_BITS) {
            0 => Self::Perspective,
            1 => Self::Builder(at),
            2 => Self::Build(BuildId(id)),
            3 => Self::Step(BuildId(id), step),
            4 => Self::Log(BuildId(id), step, log),
            5 => Self::Set(SetId(id)),
            6 => Self::Request(RequestId(id)),
            7 => Self::Slave(at),
            8 => Self::Event(at),
            9 => Self::Change(ChangeNumber(id)),
            _ => return None,
        })
    }
}

const ID_BITS: u32 = 36;
const STEP_BITS: u32 = 14;
const LOG_BITS: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stands_for_one_thing() {
        let largest = (1 << ID_BITS) - 1;
        for thing in [
            Thing::Perspective,
            Thing::Builder(7),
            Thing::Build(BuildId(largest)),
            Thing::Step(BuildId(3), (1 << STEP_BITS) - 1),
            Thing::Log(BuildId(largest), 2, (1 << LOG_BITS) - 1),
            Thing::Set(SetId(1)),
            Thing::Request(RequestId(1)),
            Thing::Slave(1),
            Thing::Event(1),
            Thing::Change(ChangeNumber(1)),
        ] {
            let tag = thing.tag();
            assert_eq!(tag.and_then(Thing::of_tag), Some(thing));
        }
        assert_eq!(Thing::of_tag(10 << (ID_BITS + STEP_BITS + LOG_BITS)), None);
    }

    #[test]
    fn what_a_number_cannot_say_has_none() {
        assert_eq!(Thing::Build(BuildId(1 << ID_BITS)).tag(), None);
        assert_eq!(Thing::Step(BuildId(1), 1 << STEP_BITS).tag(), None);
        assert_eq!(Thing::Log(BuildId(1), 1, 1 << LOG_BITS).tag(), None);
    }
}
