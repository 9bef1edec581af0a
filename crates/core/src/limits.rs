//! Every bound on input, in one place. Nothing is cut silently: what is over a limit is refused with [`InvalidInput`].

use std::time::Duration;

/// Longest name (job, queue, owner), in characters.
pub const NAME_LENGTH_MAX: usize = 128;
/// Largest request body and job payload by default, in bytes.
pub const PAYLOAD_BYTES_DEFAULT: usize = 1 << 20;
/// Largest handler result by default, in bytes.
pub const RESULT_BYTES_DEFAULT: usize = 1 << 20;
/// Largest sum of stored request context (headers, route and query values), in bytes.
pub const CONTEXT_BYTES_MAX: usize = 16 << 10;
/// Most jobs in one bulk submission.
pub const BATCH_MAX: usize = 1_000;
/// Most rows on one page of a listing.
pub const PAGE_MAX: usize = 100;
/// Longest delay before a first start, a retry or a snooze: ten years.
pub const DELAY_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// Most retries that a job may ask for.
pub const RETRIES_MAX: u32 = 1_000;
/// Longest error message kept, in bytes; a longer one ends in `…`.
pub const ERROR_BYTES_MAX: usize = 4 << 10;
/// Longest progress message kept, in bytes; a longer one ends in `…`.
pub const PROGRESS_BYTES_MAX: usize = 1 << 10;
/// Most links kept of an error's source chain.
pub const ERROR_CHAIN_MAX: usize = 8;
/// Most attempts kept in a job's history; older ones are dropped first.
pub const HISTORY_MAX: usize = 50;
/// Largest content type, in bytes.
pub const CONTENT_TYPE_BYTES_MAX: usize = 256;
/// Characters in a cron expression.
pub const CRON_LENGTH_MAX: usize = 256;
/// The shortest interval of a schedule, which is the step of a cron expression too.
pub const INTERVAL_MIN: Duration = Duration::from_secs(1);
/// Bytes in a key of unique jobs.
pub const UNIQUE_KEY_BYTES_MAX: usize = 256;
/// Fields of the input that can make jobs unique.
pub const UNIQUE_FIELDS_MAX: usize = 16;
/// Bytes in a key of a job, its kind included.
pub const KEY_BYTES_MAX: usize = 200;
/// Keys of a job.
pub const KEYS_MAX: usize = 8;
/// Bytes in an operator's note.
pub const NOTE_BYTES_MAX: usize = 1 << 10;

/// Input that a limit or a pattern refuses. Its text is safe to show to whoever sent the input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} {why}")]
pub struct InvalidInput {
    what: &'static str,
    why: &'static str,
}

impl InvalidInput {
    /// Says *what* was refused and *why*, as one sentence: `job name` + `must have 1 to 128 characters`.
    pub const fn new(what: &'static str, why: &'static str) -> Self {
        Self { what, why }
    }

    /// What was refused.
    pub fn what(&self) -> &'static str {
        self.what
    }
}

/// `text` when it fits into `bytes_max`, else its longest prefix that does, ending in `…`.
pub fn clip(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let mut end = bytes_max.saturating_sub('…'.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clipping_respects_characters_and_the_limit() {
        assert_eq!(clip("short", 10), "short");
        let clipped = clip(&"é".repeat(100), 20);
        assert!(clipped.len() <= 20 && clipped.ends_with('…'));
    }
}
