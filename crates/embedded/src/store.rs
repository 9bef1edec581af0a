//! The handle: what applications hold.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::broadcast;
use windlass_core::gate::Edit;
use windlass_core::{Clock, Gate, Incarnation, Job, JobId, QueueName, ScheduleName};
use windlass_store::schedules::{DueSchedules, Kept, Revision, Write};
use windlass_store::{
    Admin, Canceled, Counts, Exchange, Exchanged, Filter, Gates, Hint, Hints, Import, Imported, Lease, Page, Query,
    Replayed, Result, Ruled, Schedules, Scope, Store, Swept,
};

use crate::fault::{Checked, Fault, Poison, echo};
use crate::inbox::Inbox;
use crate::lock::DirectoryLock;
use crate::options::EmbeddedOptions;
use crate::reader::{self, Readers};
use crate::request::Request;
use crate::reserve::Reserve;
use crate::writer::Writer;
use crate::{backup, connection, directory, migrate, schedules};

/// Hints that a slow subscriber may be behind before it gets `Ready` in place of what it missed.
const HINTS: usize = 1_024;

/// A store in one directory, for one process. Clones are cheap and share it; the last one to go closes it.
#[derive(Clone)]
pub struct Embedded {
    shared: Arc<Shared>,
}

struct Shared {
    directory: PathBuf,
    inbox: Inbox,
    readers: Readers,
    hints: broadcast::Sender<Hint>,
    poison: Poison,
    clock: Arc<dyn Clock>,
}

impl Embedded {
    /// Opens the store in `directory`, which is created when it does not exist.
    ///
    /// # Errors
    ///
    /// `Locked` when another process (or this one) has it open, `Corrupt` when the file is damaged, `Config` when a
    /// newer version wrote it, when it is not a store, or when the directory cannot be used.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self> {
        Self::options().open(directory)
    }

    /// Settings other than the defaults; end with [`EmbeddedOptions::open`].
    pub fn options() -> EmbeddedOptions {
        EmbeddedOptions::default()
    }

    /// Where the store is.
    pub fn directory(&self) -> &Path {
        &self.shared.directory
    }

    /// Copies everything acknowledged so far into the directory `destination`, as a store that can be opened there,
    /// while this one keeps working.
    ///
    /// # Errors
    ///
    /// `Config` when `destination` holds a store already or cannot be written, `Full` when there is no room.
    pub async fn backup(&self, destination: impl AsRef<Path>) -> Result<()> {
        let destination = destination.as_ref().to_owned();
        self.shared.readers.ask(move |conn| backup::backup(conn, &destination)).await
    }

    /// Takes no more requests, answers those taken, and lets go of the files. Blocks until that is done; dropping the
    /// last clone does the same.
    pub fn close(&self) {
        self.shared.close();
    }
}

impl EmbeddedOptions {
    /// Opens the store in `directory`. Errors as for [`Embedded::open`].
    pub fn open(self, directory: impl AsRef<Path>) -> Result<Embedded> {
        let shared = open(&self, directory.as_ref())?;
        Ok(Embedded { shared: Arc::new(shared) })
    }
}

fn open(options: &EmbeddedOptions, directory: &Path) -> Checked<Shared> {
    directory::create(directory)?;
    let lock = DirectoryLock::acquire(directory)?;
    let file = directory::database(directory)?;
    let mut conn = connection::writer(&file)?;
    migrate::migrate(&mut conn)?;
    let (hints, _) = broadcast::channel(HINTS);
    let writer = Writer::new(conn, options, hints.clone(), Reserve::keep(directory), lock)?;
    let readers = Readers::open(&file)?;
    let poison = writer.poison();
    let inbox = start(writer, options.queue_depth)?;
    Ok(Shared { directory: directory.to_owned(), inbox, readers, hints, poison, clock: options.clock.clone() })
}

fn start(writer: Writer, depth: usize) -> Checked<Inbox> {
    let (inbox, requests) = Inbox::new(depth);
    let started = thread::Builder::new().name("windlass-writer".into()).spawn(move || writer.run(requests));
    inbox.attach(started.map_err(|error| Fault::file("cannot start the writer's thread", error))?);
    Ok(inbox)
}

impl Shared {
    /// Readers go first, so that the writer's connection is the last and folds the log into the database.
    fn close(&self) {
        self.readers.close();
        self.inbox.close();
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.close();
    }
}

#[async_trait]
impl Store for Embedded {
    async fn exchange(&self, turn: Exchange) -> Result<Exchanged> {
        self.shared.inbox.ask(turn, Request::Exchange).await
    }

    async fn get(&self, id: JobId, scope: &Scope) -> Result<Option<Job>> {
        let scope = scope.clone();
        self.shared.readers.ask(move |conn| reader::get(conn, id, &scope)).await
    }

    async fn cancel(&self, id: JobId, scope: &Scope) -> Result<Option<Canceled>> {
        self.shared.inbox.ask((id, scope.clone()), Request::Cancel).await
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        self.shared.inbox.ask(limit, Request::Sweep).await
    }

    async fn held_by(&self, worker: Incarnation) -> Result<Vec<Lease>> {
        self.shared.readers.ask(move |conn| reader::held_by(conn, worker)).await
    }

    fn hints(&self) -> Hints {
        Hints::new(self.shared.hints.subscribe())
    }

    /// Errors with `Poisoned` when the store takes no more writes, though it can still be read.
    async fn ping(&self) -> Result<()> {
        match self.shared.poison.get() {
            Some(error) => Err(echo(error)),
            None => self.shared.readers.ask(reader::ping).await,
        }
    }

    fn is_in_process(&self) -> bool {
        true
    }

    fn name(&self) -> &'static str {
        "embedded"
    }

    fn query(&self) -> Option<&dyn Query> {
        Some(self)
    }

    fn admin(&self) -> Option<&dyn Admin> {
        Some(self)
    }

    fn importer(&self) -> Option<&dyn Import> {
        Some(self)
    }

    fn schedules(&self) -> Option<&dyn Schedules> {
        Some(self)
    }

    fn gates(&self) -> Option<&dyn Gates> {
        Some(self)
    }
}

#[async_trait]
impl Gates for Embedded {
    async fn edit_gate(&self, gate: &Gate, edit: Edit) -> Result<()> {
        self.shared.inbox.ask((gate.clone(), edit), Request::Edit).await
    }

    async fn list_gates(&self, after: Option<&Gate>, limit: usize) -> Result<Vec<Ruled>> {
        self.shared.inbox.ask((after.cloned(), limit), Request::Gates).await
    }
}

#[async_trait]
impl Schedules for Embedded {
    async fn write_schedule(&self, write: Write) -> Result<Option<Revision>> {
        self.shared.inbox.ask(write, Request::Schedule).await
    }

    async fn find_schedule(&self, name: &ScheduleName) -> Result<Option<Kept>> {
        let name = name.clone();
        self.shared.readers.ask(move |conn| schedules::find(conn, &name)).await
    }

    async fn list_schedules(&self, after: Option<&ScheduleName>, limit: usize) -> Result<Vec<Kept>> {
        let after = after.cloned();
        self.shared.readers.ask(move |conn| schedules::list(conn, after.as_ref(), limit)).await
    }

    async fn due_schedules(&self, limit: usize) -> Result<DueSchedules> {
        let now = self.shared.clock.now();
        self.shared.readers.ask(move |conn| schedules::due(conn, limit, now)).await
    }

    async fn remove_schedule(&self, name: &ScheduleName) -> Result<bool> {
        self.shared.inbox.ask(name.clone(), Request::Unschedule).await
    }
}

#[async_trait]
impl Import for Embedded {
    async fn import(&self, jobs: Vec<Job>) -> Result<Vec<Imported>> {
        self.shared.inbox.ask(jobs, Request::Import).await
    }
}

#[async_trait]
impl Query for Embedded {
    async fn counts(&self) -> Result<Counts> {
        self.shared.readers.ask(reader::counts).await
    }

    async fn oldest_waiting(&self, queues: &[QueueName]) -> Result<Vec<Option<Duration>>> {
        let (queues, now) = (queues.to_vec(), self.shared.clock.now());
        self.shared.readers.ask(move |conn| reader::oldest_waiting(conn, &queues, now)).await
    }

    async fn list(&self, filter: &Filter) -> Result<Page> {
        let filter = filter.clone();
        self.shared.readers.ask(move |conn| reader::list(conn, &filter)).await
    }
}

#[async_trait]
impl Admin for Embedded {
    async fn replay(&self, id: JobId, scope: &Scope) -> Result<Option<Replayed>> {
        self.shared.inbox.ask((id, scope.clone()), Request::Replay).await
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").field("directory", &self.shared.directory).finish_non_exhaustive()
    }
}
