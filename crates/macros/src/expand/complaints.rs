//! Mistakes, gathered so that one build names them all.

use std::fmt::Display;

use quote::ToTokens;
use syn::{Error, Result};

/// All that is wrong so far.
#[derive(Default)]
pub(crate) struct Complaints(Option<Error>);

impl Complaints {
    /// Complains about `place`.
    pub(crate) fn at(&mut self, place: impl ToTokens, message: impl Display) {
        self.add(Error::new_spanned(place, message));
    }

    /// The value, or `None` and one more complaint.
    pub(crate) fn hear<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }

    /// All complaints in one, if there are any.
    pub(crate) fn into_error(self) -> Option<Error> {
        self.0
    }

    fn add(&mut self, error: Error) {
        match &mut self.0 {
            None => self.0 = Some(error),
            Some(all) => all.combine(error),
        }
    }
}
