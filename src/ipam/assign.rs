use std::collections::{HashMap, VecDeque};

use super::pools::PoolId;

/// Place of a list of pools in [`Assignment`]: demands with the same list are interchangeable.
pub(super) type ClassId = usize;

/// How many demands of each class are served by each pool.
///
/// Demands are unit flows from classes to pools of limited capacity. A demand takes the first pool of its class that
/// has room; if none has, demands already placed move to other pools of their own classes to make room (an
/// augmenting path). So whether demands fit together does not depend on the order in which they come.
#[derive(Debug, Default)]
pub(super) struct Assignment {
    classes: Vec<Vec<PoolId>>,
    known: HashMap<Vec<PoolId>, ClassId>,
    capacity: HashMap<PoolId, usize>,
    load: HashMap<PoolId, usize>,
    /// Demands served by a pool, by class; never zero.
    served: HashMap<PoolId, Vec<(ClassId, usize)>>,
    journal: Vec<Move>,
}

/// One demand that went to a pool, from another or anew.
#[derive(Clone, Copy, Debug)]
struct Move {
    class: ClassId,
    from: Option<PoolId>,
    to: PoolId,
}

/// A state to return to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark(usize);

impl Assignment {
    /// The class of demands that may be served by these pools, tried in this order.
    pub(super) fn class(&mut self, pools: Vec<PoolId>) -> ClassId {
        if let Some(class) = self.known.get(&pools) {
            return *class;
        }
        self.classes.push(pools.clone());
        self.known.insert(pools, self.classes.len() - 1);
        self.classes.len() - 1
    }

    pub(super) fn mark(&self) -> Mark {
        Mark(self.journal.len())
    }

    /// Takes back everything since the mark.
    pub(super) fn undo(&mut self, mark: Mark) {
        while self.journal.len() > mark.0 {
            if let Some(Move { class, from, to }) = self.journal.pop() {
                self.leave(class, to);
                if let Some(from) = from {
                    self.enter(class, from);
                }
            }
        }
    }

    /// Serves one demand; false if there is no way to. `capacity` says how many demands a pool can serve and is
    /// asked once for each pool.
    pub(super) fn place(&mut self, class: ClassId, mut capacity: impl FnMut(PoolId) -> usize) -> bool {
        if let Some(&to) = self.classes[class].iter().find(|pool| {
            let capacity = *self.capacity.entry(**pool).or_insert_with(|| capacity(**pool));
            self.load.get(pool).copied().unwrap_or_default() < capacity
        }) {
            self.shift(Move { class, from: None, to });
            return true;
        }
        self.make_room(class, capacity)
    }

    /// Searches, breadth first, for a chain of demands that can each move one pool on.
    fn make_room(&mut self, class: ClassId, mut capacity: impl FnMut(PoolId) -> usize) -> bool {
        let mut came_by: HashMap<PoolId, Option<(ClassId, PoolId)>> = HashMap::new();
        let mut queue: VecDeque<PoolId> = VecDeque::new();
        let mut expanded = vec![false; self.classes.len()];
        let mut room = self.reach(class, None, &mut came_by, &mut queue, &mut capacity);
        expanded[class] = true;
        while room.is_none() {
            let Some(pool) = queue.pop_front() else { return false };
            let movable = self.served.get(&pool).cloned().unwrap_or_default();
            for (other, _) in movable {
                if room.is_none() && !std::mem::replace(&mut expanded[other], true) {
                    room = self.reach(other, Some(pool), &mut came_by, &mut queue, &mut capacity);
                }
            }
        }
        // From the pool with room backwards, each demand on the way moves one pool on.
        let mut end = room;
        while let Some(to) = end {
            let step = came_by.get(&to).copied().flatten();
            let (class, from) = step.map_or((class, None), |(mover, from)| (mover, Some(from)));
            self.shift(Move { class, from, to });
            end = from;
        }
        true
    }

    /// Adds the pools of a class to the search; the first with room ends it.
    fn reach(
        &mut self,
        class: ClassId,
        from: Option<PoolId>,
        came_by: &mut HashMap<PoolId, Option<(ClassId, PoolId)>>,
        queue: &mut VecDeque<PoolId>,
        capacity: &mut impl FnMut(PoolId) -> usize,
    ) -> Option<PoolId> {
        for &pool in &self.classes[class] {
            if came_by.contains_key(&pool) {
                continue;
            }
            came_by.insert(pool, from.map(|from| (class, from)));
            let capacity = *self.capacity.entry(pool).or_insert_with(|| capacity(pool));
            if self.load.get(&pool).copied().unwrap_or_default() < capacity {
                return Some(pool);
            }
            queue.push_back(pool);
        }
        None
    }

    fn shift(&mut self, step: Move) {
        if let Some(from) = step.from {
            self.leave(step.class, from);
        }
        self.enter(step.class, step.to);
        self.journal.push(step);
    }

    fn enter(&mut self, class: ClassId, pool: PoolId) {
        *self.load.entry(pool).or_default() += 1;
        let served = self.served.entry(pool).or_default();
        match served.iter_mut().find(|(theirs, _)| *theirs == class) {
            Some((_, count)) => *count += 1,
            None => served.push((class, 1)),
        }
    }

    fn leave(&mut self, class: ClassId, pool: PoolId) {
        if let Some(load) = self.load.get_mut(&pool) {
            *load -= 1;
        }
        if let Some(served) = self.served.get_mut(&pool) {
            for (theirs, count) in served.iter_mut() {
                *count -= usize::from(*theirs == class);
            }
            served.retain(|(_, count)| *count > 0);
        }
    }

    /// Hands the next demand of the class its pool: the first in the class's order that still serves one.
    pub(super) fn draw(&mut self, class: ClassId) -> Option<PoolId> {
        let serves = |pool: &&PoolId| {
            self.served.get(pool).is_some_and(|served| served.iter().any(|(theirs, _)| *theirs == class))
        };
        let pool = self.classes[class].iter().find(serves).copied()?;
        self.leave(class, pool);
        Some(pool)
    }
}
