//! The connection that hears hints. Losing it loses hints and nothing else.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use futures_util::StreamExt;
use tokio::sync::broadcast;
use windlass_core::JobId;
use windlass_store::Hint;

use crate::address::Address;
use crate::fault::Checked;

/// Listens until it is aborted, on a new connection whenever the old one is gone.
pub(crate) async fn listen(address: Arc<Address>, channel: String, hints: broadcast::Sender<Hint>) {
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
    let mut subscription = address.listen().await?;
    subscription.subscribe(channel).await?;
    connected();
    // Whatever was said meanwhile was missed. Nobody may listen yet.
    let _ = hints.send(Hint::Ready);
    let mut messages = subscription.on_message();
    while let Some(message) = messages.next().await {
        let _ = hints.send(hint(message.get_payload_bytes()));
    }
    Ok(())
}

/// A job's id asks to stop it; anything else but a word of schedules says that there is work.
fn hint(payload: &[u8]) -> Hint {
    if payload == b"schedules" {
        return Hint::Schedules;
    }
    match payload.try_into() {
        Ok(id) => Hint::CancelRequested(JobId::from_bytes(id)),
        Err(_) => Hint::Ready,
    }
}
