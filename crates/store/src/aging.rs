//! Aging: in a queue whose jobs rise by one level of priority in every span of time that they wait, none of them waits for ever.
//!
//! Who has waited for three spans at level 5 goes with those that were accepted just now at level 2: the earliest goes of the moments
//! of acceptance, each later by as many spans as the level says. That changes for no job while it waits, so the jobs of each level
//! keep their order, and the first ones of the levels are all that has to be compared (aging as in multilevel queues: Coffman and
//! Kleinrock, "Computer scheduling methods and their countermeasures", 1968).

use std::iter::Peekable;
use std::time::Duration;

use windlass_core::Timestamp;

/// Jobs of several levels in the order in which they go. Of each level come those that wait, the next one first, with the moments of
/// their acceptance; levels are in their order, and equals go by them.
pub fn by_age<T, I>(levels: impl IntoIterator<Item = I>, span: Duration) -> impl Iterator<Item = T>
where
    I: Iterator<Item = (Timestamp, T)>,
{
    let mut levels: Vec<Peekable<I>> = levels.into_iter().map(Iterator::peekable).collect();
    std::iter::from_fn(move || {
        let due = |(level, waiting): (usize, &mut Peekable<I>)| {
            let (accepted, _) = waiting.peek()?;
            let level = u32::try_from(level).unwrap_or(u32::MAX);
            Some((accepted.after(span.saturating_mul(level)), level as usize))
        };
        let (_, first) = levels.iter_mut().enumerate().filter_map(due).min()?;
        levels[first].next().map(|(_, job)| job)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Timestamp {
        Timestamp::from_millis(i64::try_from(second * 1_000).expect("small"))
    }

    #[test]
    fn a_level_is_worth_a_span() {
        let urgent = [(at(10), "urgent"), (at(31), "late")];
        let patient = [(at(0), "old"), (at(1), "next")];
        let order: Vec<_> = by_age([urgent.into_iter(), patient.into_iter()], Duration::from_secs(10)).collect();
        assert_eq!(order, ["urgent", "old", "next", "late"], "the more urgent of equals");
    }

    #[test]
    fn nobody_waits_for_ever() {
        let urgent = (0..1_000).map(|second| (at(second), second));
        let patient = [(at(5), u64::MAX)];
        let levels: Vec<Box<dyn Iterator<Item = _>>> = (0..9).map(|_| Box::new(std::iter::empty()) as Box<_>).collect();
        let levels = std::iter::once(Box::new(urgent) as Box<dyn Iterator<Item = _>>).chain(levels);
        let levels = levels.take(9).chain(std::iter::once(Box::new(patient.into_iter()) as Box<_>));
        let order: Vec<_> = by_age(levels, Duration::from_secs(10)).collect();
        assert_eq!(
            order.iter().position(|job| *job == u64::MAX),
            Some(96),
            "nine spans and its five seconds, and the equal one"
        );
    }
}
