//! A transaction around handlers.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard};

use crate::error::{Error, Result};
use crate::layer::{Layer, Next};
use crate::layers::Transactional;
use crate::message::Answered;

tokio::task_local! {
    /// The open transactions, by the layer that has opened them.
    static OPEN: Vec<(usize, Arc<dyn Any + Send + Sync>)>;
}

/// A transaction under way.
struct Open<T> {
    transaction: Arc<Mutex<Option<T>>>,
    /// Whether a message within it has failed.
    broken: AtomicBool,
}

/// Runs each message in a transaction of `D`, which stands if the handler succeeds. Messages that the handler sends on in the
/// same task belong to it too, and it stands only if they all succeed: there are no savepoints. Handlers take `&Transaction<D>` and
/// ask for the [`current`](Self::current) one.
///
/// It covers the database only: what is spawned or submitted from within, and routes of [`Then`](crate::Then), go out before
/// it is committed.
pub struct Transaction<D> {
    database: D,
    /// Where this is, whoever moves the layer.
    id: Arc<u8>,
}

impl<D: Transactional> Transaction<D> {
    /// Transactions of this database.
    pub fn new(database: D) -> Self {
        Self { database, id: Arc::new(0) }
    }

    /// The database.
    pub fn database(&self) -> &D {
        &self.database
    }

    /// The transaction that the handler runs in, until the guard is dropped. Others of the same transaction wait meanwhile.
    ///
    /// # Errors
    ///
    /// `NO_TRANSACTION` where the layer is not around the handler.
    pub async fn current(&self) -> Result<OwnedMappedMutexGuard<Option<D::Transaction>, D::Transaction>> {
        let none = || Error::permanent("no transaction is open: list `Transaction` as a layer").code("NO_TRANSACTION");
        let open = self.open().ok_or_else(none)?;
        OwnedMutexGuard::try_map(open.transaction.clone().lock_owned().await, Option::as_mut).map_err(|_| none())
    }

    fn open(&self) -> Option<Arc<Open<D::Transaction>>> {
        let found = OPEN.try_with(|open| {
            let of_it = open.iter().find(|(layer, _)| *layer == self.place());
            of_it.and_then(|(_, open)| open.clone().downcast().ok())
        });
        found.ok().flatten()
    }

    fn place(&self) -> usize {
        Arc::as_ptr(&self.id).addr()
    }

    async fn end<R>(&self, transaction: D::Transaction, reply: Result<R>, broken: bool) -> Result<R> {
        if reply.is_ok() && !broken {
            self.database.commit(transaction).await?;
            return reply;
        }
        self.database.roll_back(transaction).await;
        reply.and_then(|_| {
            let what = "a message within the transaction failed, and its failure was passed over";
            Err(Error::permanent(what).code("TRANSACTION_BROKEN"))
        })
    }
}

impl<App: ?Sized + Sync, M: Answered, D: Transactional> Layer<App, M> for Transaction<D> {
    async fn around(&self, app: &App, message: M, next: impl Next<App, M>) -> Result<M::Reply> {
        if let Some(open) = self.open() {
            let reply = next.run(app, message).await;
            open.broken.fetch_or(reply.is_err(), Ordering::Relaxed);
            return reply;
        }
        let transaction = Arc::new(Mutex::new(Some(self.database.begin().await?)));
        let open = Arc::new(Open { transaction, broken: AtomicBool::new(false) });
        let mut all = OPEN.try_with(Clone::clone).unwrap_or_default();
        all.push((self.place(), open.clone()));
        let reply = OPEN.scope(all, next.run(app, message)).await;
        match open.transaction.lock().await.take() {
            Some(transaction) => self.end(transaction, reply, open.broken.load(Ordering::Relaxed)).await,
            None => reply,
        }
    }
}

impl<D> fmt::Debug for Transaction<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transaction")
    }
}
