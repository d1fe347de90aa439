//! What the nodes of the tree are made from.

use crate::model::{BuildNumber, BuilderName};
use crate::store::State;
use crate::store::read::Wanted;
use crate::view::Brief;
use crate::view::old_json::Surroundings;
use crate::web::page::Scene;
use crate::web::refusal::Refusal;

/// What nodes are made from.
#[derive(Clone, Copy)]
pub(super) struct Tree<'a> {
    pub(super) state: &'a State,
    pub(super) scene: &'a Scene,
}

impl<'a> Tree<'a> {
    /// What the JSON of builds is made with.
    pub(super) fn around(self) -> Surroundings<'a> {
        Surroundings {
            state: self.state,
            base: &self.scene.config.buildbot_url,
            zone: self.scene.zone,
        }
    }

    /// The newest builds of a builder, tries among them.
    pub(super) fn newest(
        self,
        builder: &BuilderName,
        before: Option<BuildNumber>,
        limit: u32,
    ) -> Result<Vec<Brief>, Refusal> {
        let wanted = Wanted {
            before,
            tries: true,
            ..Wanted::default()
        };
        Ok(Brief::newest(self.state, builder, wanted, limit)?)
    }
}
