//! The one connection with a session: it listens. Losing it loses hints and nothing else.

use std::pin::pin;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use futures_util::future;
use tokio::sync::broadcast;
use tokio_postgres::AsyncMessage;
use windlass_core::JobId;
use windlass_store::Hint;

use crate::address::Address;
use crate::fault::Checked;

/// Listens until it is aborted, on a new connection whenever the old one is gone.
pub(crate) async fn listen(address: Address, channel: String, hints: broadcast::Sender<Hint>) {
    let patience = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(5))
        .with_jitter()
        .without_max_times();
    let mut pauses = patience.build();
    loop {
        match hear(&address, &channel, &hints, || pauses = patience.build()).await {
            Ok(()) => tracing::debug!("the server closed the connection that hears hints"),
            Err(fault) => tracing::debug!(error = %windlass_store::Error::from(fault), "no connection to hear hints"),
        }
        tokio::time::sleep(pauses.next().unwrap_or(Duration::from_secs(5))).await;
    }
}

/// Ends with the connection.
async fn hear(
    address: &Address,
    channel: &str,
    hints: &broadcast::Sender<Hint>,
    connected: impl FnOnce(),
) -> Checked<()> {
    let (client, mut connection) = address.config.connect(address.tls.clone()).await?;
    let mut messages = futures_util::stream::poll_fn(move |cx| connection.poll_message(cx));
    let heard = async {
        use futures_util::StreamExt;
        while let Some(message) = messages.next().await {
            if let AsyncMessage::Notification(note) = message? {
                // Nobody may listen yet.
                let _ = hints.send(hint(note.payload()));
            }
        }
        Ok(())
    };
    let subscribed = async {
        let done = client.batch_execute(&format!("LISTEN \"{}\"", channel.replace('"', "\"\""))).await;
        if done.is_ok() {
            connected();
            // Whatever was said meanwhile was missed.
            let _ = hints.send(Hint::Ready);
        }
        match done {
            Ok(()) => future::pending().await,
            Err(error) => Err(error.into()),
        }
    };
    match future::select(pin!(heard), pin!(subscribed)).await {
        future::Either::Left((ended, _)) | future::Either::Right((ended, _)) => ended,
    }
}

/// A job's id asks to stop it; anything else but a word of schedules says that there is work.
fn hint(payload: &str) -> Hint {
    if payload == "schedules" {
        return Hint::Schedules;
    }
    match uuid::Uuid::try_parse(payload) {
        Ok(id) => Hint::CancelRequested(JobId::from_bytes(*id.as_bytes())),
        Err(_) => Hint::Ready,
    }
}
