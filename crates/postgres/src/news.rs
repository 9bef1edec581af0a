//! When other processes are told of new jobs: at once, and then once in a while. A notification costs its transaction a
//! sixth, and wakes every process that listens; while jobs stream in, one says as much as hundreds.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deadpool_postgres::Pool;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Between two notifications of one process.
const WINDOW: Duration = Duration::from_millis(5);

/// What this process has said, and owes.
#[derive(Debug, Default)]
pub(crate) struct News {
    told: Mutex<Option<Instant>>,
    owed: Notify,
}

impl News {
    /// Whether a submission is to be told with its own transaction. If not, it is owed as soon as that has committed.
    pub(crate) fn begin(&self) -> bool {
        let (mut told, now) = (self.told(), Instant::now());
        let quiet = told.is_none_or(|told| now >= told + WINDOW);
        if quiet {
            *told = Some(now);
        }
        quiet
    }

    /// A submission has committed that nobody was told of.
    pub(crate) fn owe(&self) {
        self.owed.notify_one();
    }

    /// When the next may be told. From now on that one is the last.
    async fn wait(&self) {
        self.owed.notified().await;
        let due = self.told().map(|told| told + WINDOW);
        if let Some(due) = due {
            tokio::time::sleep_until(due).await;
        }
        *self.told() = Some(Instant::now());
    }

    fn told(&self) -> MutexGuard<'_, Option<Instant>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Pays what is owed, until it is aborted. A notification that fails is one hint less.
pub(crate) async fn tell(news: Arc<News>, pool: Pool, channel: String) {
    loop {
        news.wait().await;
        if let Err(error) = notify(&pool, &channel).await {
            tracing::debug!(%error, "nobody could be told of new jobs");
        }
    }
}

async fn notify(pool: &Pool, channel: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let client = pool.get().await?;
    client.execute("SELECT pg_notify($1, 'ready')", &[&channel]).await?;
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
        news.owe();
        news.owe();
        assert!(news.wait().now_or_never().is_none());
        news.owe();
        let began = Instant::now();
        news.wait().await;
        assert_eq!(began.elapsed(), WINDOW);
        assert!(news.wait().now_or_never().is_none(), "all were told by one");
        tokio::time::advance(WINDOW).await;
        assert!(news.begin());
    }
}
