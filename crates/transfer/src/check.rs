//! A job as it arrived beside the one that left.

use sha2::{Digest, Sha256};
use windlass_core::Job;
use windlass_store::codec;

use crate::report::Sum;

/// What became of a job on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    Same,
    WentOn,
    Different,
    Missing,
}

impl Arrival {
    pub(crate) fn of(left: &Job, arrived: Option<&Job>) -> Self {
        match arrived {
            None => Self::Missing,
            Some(arrived) if arrived == left => Self::Same,
            Some(arrived) if went_on(left, arrived) => Self::WentOn,
            Some(_) => Self::Different,
        }
    }
}

/// Whether `arrived` can be what became of `left` since. A job that is replayed counts from zero again, so that numbers
/// prove nothing; but nothing takes a change back.
fn went_on(left: &Job, arrived: &Job) -> bool {
    arrived.new == left.new && arrived.created_at == left.created_at && arrived.updated_at > left.updated_at
}

/// Sums of both sides, over what was submitted: it never changes, whatever a job goes through.
#[derive(Default)]
pub(crate) struct Sums {
    source: Sha256,
    destination: Sha256,
}

impl Sums {
    pub(crate) fn add(&mut self, left: &Job, arrived: Option<&Job>) {
        add(&mut self.source, left);
        if let Some(arrived) = arrived {
            add(&mut self.destination, arrived);
        }
    }

    pub(crate) fn finish(self) -> (Sum, Sum) {
        (Sum(self.source.finalize().into()), Sum(self.destination.finalize().into()))
    }
}

/// With its length in front, so that no two lists of jobs give the same bytes.
fn add(sum: &mut Sha256, job: &Job) {
    // Sealing fails for no job that a store gave out; one that it failed for would differ from its other side.
    let bytes = codec::seal(&*job.new).unwrap_or_default();
    sum.update((bytes.len() as u64).to_be_bytes());
    sum.update(&bytes);
    sum.update(job.created_at.as_micros().to_be_bytes());
}
