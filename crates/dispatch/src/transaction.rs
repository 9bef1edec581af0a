//! A transaction around handlers.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard};

use crate::error::{Error, Result};
use crate::layer::{Layer, Next};
use crate::layers::Transactional;
use crate::message::Answered;

tokio::task_local! {
    /// The open transactions, by the type of what they are of.
    static OPEN: Vec<(TypeId, Arc<dyn Any + Send + Sync>)>;
}

/// Runs each message in a transaction of `D`, which stands if the handler succeeds. Messages that the handler sends on in the
/// same task belong to it too. Handlers take `&Transaction<D>` and ask for the [`current`](Self::current) one.
pub struct Transaction<D>(D);

impl<D: Transactional> Transaction<D> {
    /// Transactions of this database.
    pub fn new(database: D) -> Self {
        Self(database)
    }

    /// The database.
    pub fn database(&self) -> &D {
        &self.0
    }

    /// The transaction that the handler runs in, until the guard is dropped. Others of the same transaction wait meanwhile.
    ///
    /// # Errors
    ///
    /// `NO_TRANSACTION` where the layer is not around the handler.
    pub async fn current(&self) -> Result<OwnedMappedMutexGuard<Option<D::Transaction>, D::Transaction>> {
        let none = || Error::permanent("no transaction is open: list `Transaction` as a layer").code("NO_TRANSACTION");
        let open = self.open().ok_or_else(none)?;
        OwnedMutexGuard::try_map(open.lock_owned().await, Option::as_mut).map_err(|_| none())
    }

    fn open(&self) -> Option<Arc<Mutex<Option<D::Transaction>>>> {
        let found = OPEN.try_with(|open| {
            let of_it = open.iter().find(|(of, _)| *of == TypeId::of::<D>());
            of_it.and_then(|(_, transaction)| transaction.clone().downcast().ok())
        });
        found.ok().flatten()
    }
}

impl<App: ?Sized + Sync, M: Answered, D: Transactional> Layer<App, M> for Transaction<D> {
    async fn around(&self, app: &App, message: M, next: impl Next<App, M>) -> Result<M::Reply> {
        if self.open().is_some() {
            return next.run(app, message).await;
        }
        let transaction = Arc::new(Mutex::new(Some(self.0.begin().await?)));
        let mut open = OPEN.try_with(Clone::clone).unwrap_or_default();
        open.push((TypeId::of::<D>(), transaction.clone()));
        let reply = OPEN.scope(open, next.run(app, message)).await;
        let Some(transaction) = transaction.lock().await.take() else { return reply };
        match &reply {
            Ok(_) => self.0.commit(transaction).await?,
            Err(_) => self.0.roll_back(transaction).await,
        }
        reply
    }
}

impl<D> fmt::Debug for Transaction<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transaction")
    }
}
