//! Steps that were done, so that they can be taken back.

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
        for (place, change) in self.done.into_iter().rev() {
            let inverse = change.inverse();
            if let Err(error) = hands.carry_out(place, &inverse) {
                log::warn!("failed to take back a step of an ADD that failed ({inverse:?}): {error}");
            }
        }
    }
}
