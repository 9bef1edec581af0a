//! A megabyte of disk kept aside, so that running jobs can still be settled when the disk is full.

use std::fs;
use std::path::{Path, PathBuf};

/// Room for the settlements of a few thousand jobs.
const BYTES: usize = 1 << 20;

/// The file `windlass.reserve`, which is there unless the disk is full.
#[derive(Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
    held: bool,
}

impl Reserve {
    /// Sets the room aside, if there is that much.
    pub(crate) fn keep(directory: &Path) -> Self {
        let mut reserve = Self { path: path(directory), held: false };
        if !reserve.restore() {
            tracing::warn!(directory = %directory.display(), "the disk is almost full: there is no room for a reserve");
        }
        reserve
    }

    /// Whether the store in this directory got as far as keeping a reserve.
    pub(crate) fn exists(directory: &Path) -> bool {
        path(directory).exists()
    }

    /// Gives the room away, because the disk is full.
    pub(crate) fn spend(&mut self) {
        self.held = false;
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "the reserve on disk cannot be removed");
        }
    }

    /// Whether the room is set aside, after trying to.
    pub(crate) fn restore(&mut self) -> bool {
        if !self.held {
            self.held = fs::write(&self.path, noise()).is_ok();
        }
        if !self.held {
            self.spend();
        }
        self.held
    }
}

fn path(directory: &Path) -> PathBuf {
    directory.join("windlass.reserve")
}

/// Bytes that a compressing file system cannot make smaller: a linear congruential generator (Knuth's MMIX).
fn noise() -> Vec<u8> {
    let mut state = 1_u64;
    let mut bytes = Vec::with_capacity(BYTES);
    while bytes.len() < BYTES {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&state.to_be_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_there_gone_and_there_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut reserve = Reserve::keep(directory.path());
        let bytes = || fs::metadata(path(directory.path())).map(|file| file.len() as usize).ok();
        assert_eq!(bytes(), Some(BYTES));
        reserve.spend();
        assert_eq!(bytes(), None);
        assert!(reserve.restore());
        assert_eq!(bytes(), Some(BYTES));
    }
}
