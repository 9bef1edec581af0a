//! The store's directory: made durable when it is new, refused when its database has gone.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::connection::{FILE, PAGE};
use crate::fault::{Checked, Fault};
use crate::reserve::Reserve;

/// Creates the directory if need be, so that it survives a power cut.
pub(crate) fn create(directory: &Path) -> Checked<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let failed = |error| Fault::file(format!("cannot create {}", directory.display()), error);
    fs::create_dir_all(directory).map_err(failed)?;
    match directory.canonicalize().map_err(failed)?.parent() {
        Some(parent) => sync(parent),
        None => Ok(()),
    }
}

/// The path of the database. Errors with `Corrupt` when the store was in use before and there is nothing left of
/// its database, because starting afresh would hide the loss; and when the database ends inside a page, which SQLite
/// reads as zeros. While a log stands beside it the log may hold that page.
pub(crate) fn database(directory: &Path) -> Checked<PathBuf> {
    let file = directory.join(FILE);
    let log = directory.join(format!("{FILE}-wal"));
    if length(&file) == 0 && length(&log) == 0 && Reserve::exists(directory) {
        return Err(Fault::corrupt(format!(
            "{} is empty or gone, though this store was used before; restore it from a backup, or remove the whole \
             directory to start afresh",
            file.display()
        )));
    }
    if length(&log) == 0 && !length(&file).is_multiple_of(PAGE) {
        return Err(Fault::corrupt(format!("{} is cut short; restore it from a backup", file.display())));
    }
    Ok(file)
}

/// How many bytes a file has; none when it does not exist.
fn length(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |file| file.len())
}

/// Makes the names in a directory durable.
pub(crate) fn sync(directory: &Path) -> Checked<()> {
    let synced = File::open(directory).and_then(|opened| opened.sync_all());
    // Windows cannot open directories as files, and does not need to.
    if cfg!(unix) {
        return synced.map_err(|error| Fault::file(format!("cannot sync {}", directory.display()), error));
    }
    Ok(())
}
