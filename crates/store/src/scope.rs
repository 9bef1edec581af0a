//! Whose jobs a question is about.

use windlass_core::Owner;

/// Whose jobs a question is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Every job: for operators and for applications without owners.
    #[default]
    Everything,
    /// This owner's jobs only.
    Of(Owner),
}

impl Scope {
    /// Whether a job of `owner` is inside.
    pub fn allows(&self, owner: Option<&Owner>) -> bool {
        match self {
            Self::Everything => true,
            Self::Of(mine) => owner == Some(mine),
        }
    }
}
