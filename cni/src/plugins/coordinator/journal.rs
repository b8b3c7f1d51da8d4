//! Steps that were done, so that they can be taken back.

use std::collections::BTreeSet;

use super::detach::drop_idle_rules;
use super::difference::Change;
use super::hands::{Hands, Place};
use crate::spec::CniError;

/// Steps in the order in which they were done.
#[derive(Debug, Default)]
pub(super) struct Journal {
    done: Vec<(Place, Change)>,
}

impl Journal {
    /// Carries out steps up to the first that fails; true if there were any.
    pub(super) fn apply(
        &mut self,
        hands: &mut Hands,
        place: Place,
        changes: Vec<Change>,
    ) -> Result<bool, CniError> {
        let any = !changes.is_empty();
        for change in changes {
            log::debug!("{place:?}: {change:?}");
            hands.carry_out(place, &change)?;
            self.done.push((place, change));
        }
        Ok(any)
    }

    /// Takes everything back, last things first. What cannot be taken back is logged, and the rest goes on.
    pub(super) fn undo(self, hands: &mut Hands) {
        let (steps, shared) = backwards(self.done);
        for (place, step) in steps {
            if let Err(error) = hands.carry_out(place, &step) {
                log::warn!("failed to take back a step of an ADD that failed ({step:?}): {error}");
            }
        }
        for table in shared {
            if let Err(error) = drop_idle_rules(&mut hands.host, table) {
                log::warn!("failed to take back the rule of the node's table {table}: {error}");
            }
        }
    }
}

/// What takes steps back, in that order; and tables of the node whose rules were added: other pods may have come to rely on
/// those meanwhile, so they go only where their table is empty.
pub(super) fn backwards(done: Vec<(Place, Change)>) -> (Vec<(Place, Change)>, BTreeSet<u32>) {
    let (mut steps, mut shared) = (Vec::new(), BTreeSet::new());
    for (place, change) in done.into_iter().rev() {
        match change {
            Change::AddRule(rule) if place == Place::Host => drop(shared.insert(rule.table)),
            change => steps.push((place, change.inverse())),
        }
    }
    (steps, shared)
}
