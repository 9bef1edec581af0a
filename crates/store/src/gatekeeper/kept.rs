//! Maps whose changes can be taken back.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

use foldhash::fast::RandomState;
use windlass_core::Gate;

/// A map that remembers what it held before, since the last commit.
#[derive(Debug)]
pub(super) struct Kept<K, V> {
    pub(super) now: HashMap<K, V, RandomState>,
    pub(super) before: Vec<(K, Option<V>)>,
}

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self { now: HashMap::default(), before: Vec::new() }
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Kept<K, V> {
    pub(super) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.now.get(key)
    }

    pub(super) fn set(&mut self, key: &K, value: Option<V>) {
        let before = match value {
            Some(value) => self.now.insert(key.clone(), value),
            None => self.now.remove(key),
        };
        self.before.push((key.clone(), before));
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<&V> {
        let value = self.now.remove(key)?;
        self.before.push((key.clone(), Some(value)));
        self.before.last().and_then(|(_, value)| value.as_ref())
    }

    pub(super) fn rollback(&mut self) {
        while let Some((key, before)) = self.before.pop() {
            match before {
                Some(value) => drop(self.now.insert(key, value)),
                None => drop(self.now.remove(&key)),
            }
        }
    }
}

impl Kept<Gate, u64> {
    /// One more.
    pub(super) fn add(&mut self, gate: &Gate) {
        let before = match self.now.entry(gate.clone()) {
            Entry::Occupied(mut taken) => {
                let before = *taken.get();
                *taken.get_mut() = before + 1;
                Some(before)
            }
            Entry::Vacant(none) => {
                none.insert(1);
                None
            }
        };
        self.before.push((gate.clone(), before));
    }

    /// One less; those of whom none is left are forgotten.
    pub(super) fn subtract(&mut self, gate: &Gate) {
        let before = match self.now.entry(gate.clone()) {
            Entry::Occupied(mut taken) if *taken.get() > 1 => {
                let before = *taken.get();
                *taken.get_mut() = before - 1;
                Some(before)
            }
            Entry::Occupied(taken) => Some(taken.remove()),
            Entry::Vacant(_) => None,
        };
        self.before.push((gate.clone(), before));
    }
}
