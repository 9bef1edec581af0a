//! Whose jobs wait: how many of each owner, and which of them goes first where one has to.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use windlass_core::{Owner, Priority};

use crate::entry::{Entry, Seq};

/// The waiting jobs of each owner, the least urgent first and the oldest of those first. Kept while it is said of some owner how many
/// may wait.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Owned(BTreeMap<Owner, BTreeSet<(Reverse<Priority>, Seq)>>);

impl Owned {
    /// Takes in a job, if it waits and has an owner.
    pub(crate) fn insert(&mut self, entry: &Entry) {
        if let Some(owner) = owner_of(entry) {
            self.0.entry(owner.clone()).or_default().insert(place(entry));
        }
    }

    /// Lets go of a job that [`insert`](Self::insert) took in and that has not changed since.
    pub(crate) fn remove(&mut self, entry: &Entry) {
        let Some(owner) = owner_of(entry) else { return };
        let Some(its) = self.0.get_mut(owner) else { return };
        its.remove(&place(entry));
        if its.is_empty() {
            self.0.remove(owner);
        }
    }

    /// How many jobs of an owner wait.
    pub(crate) fn waiting(&self, owner: &Owner) -> u64 {
        self.0.get(owner).map_or(0, |its| its.len() as u64)
    }

    /// The oldest of the least urgent.
    pub(crate) fn first(&self, owner: &Owner) -> Option<Seq> {
        self.0.get(owner)?.first().map(|&(_, seq)| seq)
    }
}

fn owner_of(entry: &Entry) -> Option<&Owner> {
    entry.job.new.owner.as_ref().filter(|_| entry.job.status.is_waiting())
}

fn place(entry: &Entry) -> (Reverse<Priority>, Seq) {
    (Reverse(entry.job.new.priority), entry.seq)
}
