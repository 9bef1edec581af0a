//! Backup: a compact copy of everything acknowledged, made while the store runs.

use std::fs::{self, File};
use std::path::Path;

use rusqlite::Connection;
use windlass_store::ErrorKind;

use crate::connection::FILE;
use crate::directory;
use crate::fault::{Checked, Fault};

/// Copies one snapshot into the directory `destination`, whole or not at all: the copy gets its name once it is
/// durable.
pub(crate) fn backup(conn: &Connection, destination: &Path) -> Checked<()> {
    directory::create(destination)?;
    let (file, part) = (destination.join(FILE), destination.join("windlass.db.part"));
    if file.exists() {
        return Err(Fault::new(ErrorKind::Config, format!("{} exists already", file.display())));
    }
    let failed = |error| Fault::file(format!("cannot write {}", file.display()), error);
    if part.exists() {
        fs::remove_file(&part).map_err(failed)?;
    }
    conn.execute("VACUUM INTO ?1", [part.to_string_lossy()])?;
    File::open(&part).and_then(|copy| copy.sync_all()).map_err(failed)?;
    fs::rename(&part, &file).map_err(failed)?;
    directory::sync(destination)
}
