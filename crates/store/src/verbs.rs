//! The single verbs, as thin helpers over [`Store::exchange`].

use std::sync::Arc;

use async_trait::async_trait;
use windlass_core::NewJob;

use crate::error::Result;
use crate::exchange::{Claim, Claimed, Exchange, Extend, Extension, Fate, Settlement, Submitted};
use crate::store::Store;

/// One question at a time, for tests, tools and quiet corners; the hot path fills an [`Exchange`] itself.
#[async_trait]
pub trait Verbs: Store {
    /// Hands over new jobs.
    async fn submit(&self, jobs: Vec<NewJob>) -> Result<Vec<Submitted>> {
        let submit = jobs.into_iter().map(Arc::new).collect();
        Ok(self.exchange(Exchange { submit, ..Exchange::default() }).await?.submitted)
    }

    /// Takes work.
    async fn claim(&self, claim: Claim) -> Result<Claimed> {
        Ok(self.exchange(Exchange { claim: Some(claim), ..Exchange::default() }).await?.claimed)
    }

    /// Says how attempts ended.
    async fn settle(&self, settle: Vec<Settlement>) -> Result<Vec<Fate>> {
        Ok(self.exchange(Exchange { settle, ..Exchange::default() }).await?.fates)
    }

    /// Keeps leases alive.
    async fn extend(&self, extend: Vec<Extend>) -> Result<Vec<Extension>> {
        Ok(self.exchange(Exchange { extend, ..Exchange::default() }).await?.extended)
    }
}

impl<S: Store + ?Sized> Verbs for S {}
