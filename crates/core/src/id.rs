//! Names of jobs and of process starts: 128-bit values, printed as UUIDs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::limits::InvalidInput;
use crate::time::Timestamp;

/// Names one job for ever. A UUID (RFC 9562): version 7 when Windlass makes it, any version when the caller supplies it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(Uuid);

/// What follows the milliseconds of an id and the bits of its version: 62 random bits remain.
const FINE_BITS: u8 = 12;

impl JobId {
    /// A new id that begins with `now`, to the microsecond (RFC 9562, section 6.2, method 3). Ids made later sort later,
    /// so a store's index of them grows at its end.
    pub fn generate(now: Timestamp) -> Self {
        let micros = now.as_micros().max(0) as u64;
        let nanos = (micros % 1_000_000) as u32 * 1_000;
        let within_millisecond = u128::from(micros % 1_000) * (1 << FINE_BITS) / 1_000;
        let at = uuid::Timestamp::from_unix_time(micros / 1_000_000, nanos, within_millisecond, FINE_BITS);
        Self(Uuid::new_v7(at))
    }

    /// The id of the `index`-th job that `self` emits. It depends on nothing else, so a handler that runs
    /// again after a crash emits the same ids and the store keeps each only once. Its last byte is its parent's: stores
    /// that spread jobs by it keep both in one place, where they commit together.
    pub fn emitted(self, index: u32) -> Self {
        Self::keyed(&[b"emitted", self.0.as_bytes(), &index.to_be_bytes()]).beside(self)
    }

    /// This id with the last byte of `other`, so that stores that spread jobs by it keep both in one place.
    pub(crate) fn beside(self, other: Self) -> Self {
        let (mut bytes, [.., last]) = (*self.as_bytes(), *other.as_bytes());
        bytes[15] = last;
        Self::from_bytes(bytes)
    }

    /// An id that any process computes alike from the same parts (an `Idempotency-Key` with its scope, say).
    /// SHA-256 over length-prefixed parts, folded into a UUID of version 8.
    pub fn keyed(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        let mut folded = [0; 16];
        folded.copy_from_slice(&digest[..16]);
        Self(Uuid::new_v8(folded))
    }

    /// The one that sorts behind all others.
    pub const LAST: Self = Self(Uuid::max());

    /// The 16 bytes, as stores keep them.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id that [`as_bytes`](Self::as_bytes) gave.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The id as a [`Uuid`].
    pub fn as_uuid(&self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for JobId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl FromStr for JobId {
    type Err = InvalidInput;

    /// Reads any usual UUID form.
    fn from_str(text: &str) -> Result<Self, InvalidInput> {
        Uuid::try_parse(text).map(Self).map_err(|_| InvalidInput::new("job id", "is not a UUID"))
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The random name of one process start. Never a host name or a pid: a restarted process is somebody else,
/// so the leases of the dead one expire instead of being taken for alive.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Incarnation(Uuid);

impl Incarnation {
    /// A fresh random value (UUID v4).
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// The 16 bytes, as stores keep them.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The incarnation that [`as_bytes`](Self::as_bytes) gave.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ids of one millisecond came in any order, and each store's index of them was written all over its last pages.
    #[test]
    fn ids_sort_by_the_microsecond_in_which_they_were_made() {
        let moment = |micros| Timestamp::from_micros(1_789_000_000_000_000 + micros);
        let ids: Vec<_> = (0..3_000_i64).map(|micros| JobId::generate(moment(micros))).collect();
        assert!(ids.is_sorted());
    }

    /// A clock that stands, at its beginning even, takes nothing from what tells ids apart.
    #[test]
    fn ids_of_one_moment_are_all_different() {
        for moment in [Timestamp::UNIX_EPOCH, Timestamp::from_millis(1_789_000_000_000)] {
            let ids: std::collections::HashSet<_> = (0..200_000).map(|_| JobId::generate(moment)).collect();
            assert_eq!(ids.len(), 200_000);
        }
    }

    #[test]
    fn generated_ids_are_version_7_and_sort_by_time() {
        let early = JobId::generate(Timestamp::from_millis(1_000));
        let late = JobId::generate(Timestamp::from_millis(2_000));
        assert_eq!(early.as_uuid().get_version_num(), 7);
        assert!(early < late);
    }

    #[test]
    fn emitted_ids_repeat_for_the_same_parent_and_index_only() {
        let parent = JobId::generate(Timestamp::from_millis(1));
        assert_eq!(parent.emitted(0), parent.emitted(0));
        assert_ne!(parent.emitted(0), parent.emitted(1));
    }

    #[test]
    fn keyed_ids_keep_their_parts_apart() {
        assert_ne!(JobId::keyed(&[b"ab", b"c"]), JobId::keyed(&[b"a", b"bc"]));
    }

    #[test]
    fn text_that_is_no_uuid_is_refused() {
        assert!("../etc/passwd".parse::<JobId>().is_err());
    }
}
