//! When other processes are told of new jobs: at once, and then once in a while. A notification costs its transaction a
//! sixth, and wakes every process that listens; while jobs stream in, one says as much as hundreds.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deadpool_postgres::Pool;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_postgres::types::Type;
use windlass_store::Error;

use crate::fault::Checked;
use crate::lent::Lent;

/// Between two notifications of one process.
const WINDOW: Duration = Duration::from_millis(5);

/// After one that failed. Nobody waits for it: whoever hears nothing polls.
const PAUSE: Duration = Duration::from_secs(1);

/// What this process has said, and owes.
#[derive(Debug, Default)]
pub(crate) struct News {
    said: Mutex<Said>,
    owed: Notify,
}

#[derive(Debug, Default)]
struct Said {
    last: Option<Instant>,
    /// Something is owed, and will be paid when the window ends.
    owing: bool,
}

impl News {
    /// Whether a submission is to be told with its own transaction. If not, it is owed as soon as that has committed.
    pub(crate) fn begin(&self) -> bool {
        let (mut said, now) = (self.said(), Instant::now());
        let quiet = !said.owing && said.last.is_none_or(|last| now >= last + WINDOW);
        if quiet {
            said.last = Some(now);
        }
        quiet
    }

    /// A submission of which nobody is told by its own transaction: it is owed when this is dropped, whether or not anybody
    /// still waits for the answer, because it may have committed.
    pub(crate) fn debt(&self) -> Debt<'_> {
        self.said().owing = true;
        Debt(self)
    }

    fn owe(&self) {
        self.owed.notify_one();
    }

    /// When the next may be told. From now on that one is the last.
    async fn wait(&self) {
        self.owed.notified().await;
        let last = self.said().last;
        if let Some(last) = last {
            tokio::time::sleep_until(last + WINDOW).await;
        }
        *self.said() = Said { last: Some(Instant::now()), owing: false };
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`News::debt`].
pub(crate) struct Debt<'a>(&'a News);

impl Drop for Debt<'_> {
    fn drop(&mut self) {
        self.0.owe();
    }
}

/// Pays what is owed, until it is aborted. A notification that fails is tried again after a pause. The connection is the one that keeps
/// leases alive when all else is blocked, so that a server that is silent must not keep it.
pub(crate) async fn tell(news: Arc<News>, lifeline: Pool, channel: String, answer_timeout: Duration) {
    loop {
        news.wait().await;
        match tokio::time::timeout(answer_timeout, notify(&lifeline, &channel)).await {
            Ok(Ok(())) => continue,
            Ok(Err(fault)) => tracing::debug!(error = %Error::from(fault), "nobody could be told of new jobs"),
            Err(_) => tracing::debug!("nobody could be told of new jobs: PostgreSQL does not answer in time"),
        }
        tokio::time::sleep(PAUSE).await;
        news.owe();
    }
}

async fn notify(lifeline: &Pool, channel: &str) -> Checked<()> {
    let client = Lent::new(lifeline.get().await?);
    let told = client.query_typed("SELECT pg_notify($1, 'ready')", &[(&channel, Type::TEXT)]).await;
    client.answered(told)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_is_told_at_once_and_the_others_when_the_window_ends() {
        let news = Arc::new(News::default());
        assert!(news.begin() && !news.begin());
        drop(news.debt());
        drop(news.debt());
        assert!(news.wait().now_or_never().is_none());
        drop(news.debt());
        let began = Instant::now();
        news.wait().await;
        assert_eq!(began.elapsed(), WINDOW);
        assert!(news.wait().now_or_never().is_none(), "all were told by one");
        tokio::time::advance(WINDOW).await;
        assert!(news.begin());
    }
}
