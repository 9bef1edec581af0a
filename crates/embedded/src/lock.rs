//! One process at a time: a lock on `windlass.lock`, held as long as the store is open.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use windlass_store::ErrorKind;

use crate::fault::{Checked, Fault};

/// The right to open the files of one directory. The system gives it back when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Takes the lock at once, or says who cannot have it and why.
    pub(crate) fn acquire(directory: &Path) -> Checked<Self> {
        let path = directory.join("windlass.lock");
        let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = opened.map_err(|error| Fault::file(format!("cannot open {}", path.display()), error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(taken(directory)),
            Err(TryLockError::Error(error)) => Err(Fault::file(format!("cannot lock {}", path.display()), error)),
        }
    }
}

fn taken(directory: &Path) -> Fault {
    let directory = directory.display();
    Fault::new(
        ErrorKind::Locked,
        format!(
            "another process has {directory} open; stop it, give this one a directory of its own, or use a store \
             that several processes can share"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_free_again_when_its_holder_is_gone() {
        let directory = tempfile::tempdir().expect("a directory");
        let held = DirectoryLock::acquire(directory.path()).expect("free");
        let refused = DirectoryLock::acquire(directory.path()).expect_err("taken");
        assert_eq!(refused.kind(), ErrorKind::Locked);
        assert!(refused.as_error().to_string().contains(&*directory.path().to_string_lossy()));
        drop(held);
        assert!(DirectoryLock::acquire(directory.path()).is_ok());
    }
}
