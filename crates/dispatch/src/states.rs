//! Values that the application shares with its handlers, found by their type.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;

use crate::error::{Error, Result};

/// The application's shared values: a database pool, a client, settings. One value per type; handlers get clones.
#[derive(Default)]
pub struct States(HashMap<TypeId, Box<dyn Any + Send + Sync>>);

impl States {
    /// Adds a value, in place of an earlier one of the same type.
    pub fn insert<S: Clone + Send + Sync + 'static>(&mut self, value: S) {
        self.0.insert(TypeId::of::<S>(), Box::new(value));
    }

    /// The value of this type. A permanent error where there is none.
    pub fn borrow<S: 'static>(&self) -> Result<&S> {
        let found = self.0.get(&TypeId::of::<S>()).and_then(|value| value.downcast_ref());
        found.ok_or_else(|| Error::permanent(format!("no state of type {} was given", type_name::<S>())))
    }

    /// The names of the types in `needs` that are not here.
    pub fn missing(&self, needs: &Needs) -> Vec<&'static str> {
        needs.0.iter().filter(|(id, _)| !self.0.contains_key(id)).map(|(_, name)| *name).collect()
    }
}

impl std::fmt::Debug for States {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "States({})", self.0.len())
    }
}

/// The types that a handler's arguments ask of [`States`], so that a missing one is an error at build, not at run.
#[derive(Debug, Default)]
pub struct Needs(Vec<(TypeId, &'static str)>, bool);

impl Needs {
    /// Notes that the handler sends messages on, so that it belongs to an application.
    pub fn add_application(&mut self) {
        self.1 = true;
    }

    /// Whether that was noted.
    pub fn application(&self) -> bool {
        self.1
    }

    /// Notes that a value of type `S` is needed.
    pub fn add<S: 'static>(&mut self) {
        self.0.push((TypeId::of::<S>(), type_name::<S>()));
    }
}
