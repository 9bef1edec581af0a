//! How a handler's attempts fared lately, against how they fare with little else running.
//!
//! Times are compared by their logarithms: what is slower by half counts the same for fast handlers and slow ones, and
//! one attempt of a minute among many of a second does not drown them. Standard errors tell what chance alone may explain.

use std::time::Duration;

use windlass_core::JobName;

use foldhash::HashMap;

/// What an attempt's end says about whatever its handler works with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It succeeded.
    Well,
    /// It failed in a way that fewer attempts at the same time may mend: with a transient error, or out of time.
    Ill,
    /// Nothing: it was canceled, snoozed, or failed for a reason of its own.
    Neither,
}

/// Many numbers, as far as their mean and its error are concerned.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    count: f64,
    sum: f64,
    squares: f64,
}

impl Mean {
    fn note(&mut self, value: f64) {
        self.count += 1.0;
        self.sum += value;
        self.squares += value * value;
    }

    fn mean(&self) -> f64 {
        self.sum / self.count.max(1.0)
    }

    /// The square of the mean's standard error.
    fn error(&self) -> f64 {
        let spread = (self.squares - self.sum * self.mean()).max(0.0);
        spread / ((self.count - 1.0).max(1.0) * self.count.max(1.0))
    }

    /// One number says nothing about how far others are from it.
    fn says_something(&self) -> bool {
        self.count >= 2.0
    }

    /// Adds `newer`, beside which the former half as much counts.
    fn fade_into(&mut self, newer: &Self) {
        self.count = self.count / 2.0 + newer.count;
        self.sum = self.sum / 2.0 + newer.sum;
        self.squares = self.squares / 2.0 + newer.squares;
    }
}

/// What is known of attempts: the times of those that ended well, and the share of those that ended ill.
#[derive(Clone, Copy, Debug, Default)]
struct Page {
    times: Mean,
    failures: Mean,
}

/// One handler.
#[derive(Clone, Copy, Debug, Default)]
struct Book {
    /// With little else running.
    calm: Page,
    now: Page,
}

/// All handlers of a process.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    books: HashMap<JobName, Book>,
    count: usize,
}

/// No handler is known to fail by itself more often than this; above it, it is being kept from its work.
const FAILS_BY_ITSELF: f64 = 0.5;

impl Evidence {
    /// Notes how an attempt ended and what time it took.
    pub(crate) fn note(&mut self, job: &JobName, took: Duration, ending: Ending) {
        if ending == Ending::Neither {
            return;
        }
        self.count += 1;
        if !self.books.contains_key(job) {
            self.books.insert(job.clone(), Book::default());
        }
        if let Some(Book { now, .. }) = self.books.get_mut(job) {
            now.failures.note(if ending == Ending::Ill { 1.0 } else { 0.0 });
            if ending == Ending::Well {
                now.times.note(took.as_secs_f64().max(1e-9).ln());
            }
        }
    }

    /// How many attempts were noted.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// How many times as long as in calm attempts take now, half a standard error taken off. One where nothing is known.
    pub(crate) fn slowness(&self) -> f64 {
        let (above, error) = self.times();
        (above - 0.5 * error).exp()
    }

    /// The same at least, beyond what chance may explain.
    pub(crate) fn sure_slowness(&self) -> f64 {
        let (above, error) = self.times();
        (above - 2.0 * error).exp()
    }

    /// Whether attempts are faster now than what was taken for calm, or fewer fail, beyond chance.
    pub(crate) fn is_better_than_calm(&self) -> bool {
        [self.times(), self.failures()].iter().any(|(above, error)| above + 2.0 * error < -1e-9)
    }

    /// Which share of attempts fails now beyond the share that fails in calm, at least.
    pub(crate) fn excess_of_failures(&self) -> f64 {
        let (above, error) = self.failures();
        above - error
    }

    fn times(&self) -> (f64, f64) {
        let known = |book: &&Book| book.calm.times.says_something() && book.now.times.says_something();
        self.above_calm(known, |page| page.times, f64::INFINITY)
    }

    fn failures(&self) -> (f64, f64) {
        self.above_calm(|book| book.now.failures.count > 0.0, |page| page.failures, FAILS_BY_ITSELF)
    }

    /// By how much the mean is above that of calm, which counts up to `most`, and the standard error of that.
    fn above_calm(&self, known: impl Fn(&&Book) -> bool, of: impl Fn(&Page) -> Mean, most: f64) -> (f64, f64) {
        let pairs = || self.books.values().filter(&known).map(|book| (of(&book.calm), of(&book.now)));
        let total: f64 = pairs().map(|(_, now)| now.count).sum();
        let weighed = |(calm, now): (Mean, Mean)| {
            let share = now.count / total;
            (share * (now.mean() - calm.mean().min(most)), share * share * (now.error() + calm.error()))
        };
        let (above, error) = pairs().map(weighed).fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        (above, error.sqrt())
    }

    /// Takes what was noted for what handlers do in calm, beside what they did before.
    pub(crate) fn learn(&mut self) {
        self.books.values_mut().for_each(Book::learn);
    }

    /// Begins anew. A handler that was seen for the first time is compared to what was noted of it now.
    pub(crate) fn turn_over(&mut self) {
        for book in self.books.values_mut() {
            if !book.calm.times.says_something() {
                book.learn();
            }
            book.now = Page::default();
        }
        self.count = 0;
    }
}

impl Book {
    fn learn(&mut self) {
        if self.now.times.says_something() {
            self.calm.times.fade_into(&self.now.times);
        }
        if self.now.failures.count > 0.0 {
            self.calm.failures.fade_into(&self.now.failures);
        }
        self.now = Page::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(name: &str) -> JobName {
        JobName::new(name).expect("valid")
    }

    fn note(evidence: &mut Evidence, name: &str, millis: &[u64]) {
        millis.iter().for_each(|millis| evidence.note(&job(name), Duration::from_millis(*millis), Ending::Well));
    }

    #[test]
    fn a_slow_handler_is_not_a_slowed_one() {
        let mut evidence = Evidence::default();
        note(&mut evidence, "Fast", &[10; 8]);
        note(&mut evidence, "Slow", &[9_000; 8]);
        evidence.turn_over();
        note(&mut evidence, "Fast", &[10; 1]);
        note(&mut evidence, "Slow", &[9_000; 15]);
        assert!((evidence.slowness() - 1.0).abs() < 1e-6, "only their mixture has changed");
        evidence.turn_over();
        note(&mut evidence, "Fast", &[30; 8]);
        note(&mut evidence, "Slow", &[27_000; 8]);
        assert!((evidence.slowness() - 3.0).abs() < 1e-6);
    }

    #[test]
    fn what_chance_may_explain_is_no_evidence() {
        let mut evidence = Evidence::default();
        note(&mut evidence, "Wild", &[1, 400, 20, 3_000, 2, 90]);
        evidence.turn_over();
        note(&mut evidence, "Wild", &[500, 3, 1_000, 800, 9, 200]);
        assert!(evidence.sure_slowness() < 1.0 && evidence.sure_slowness() < evidence.slowness());
        note(&mut evidence, "Wild", &[90_000; 20]);
        assert!(evidence.sure_slowness() > 1.5);
    }

    #[test]
    fn a_handler_that_always_fails_now_and_then_fails_no_more_than_it_does() {
        let mut evidence = Evidence::default();
        let some = |evidence: &mut Evidence, ill| {
            for number in 0..20 {
                let ending = if number < ill { Ending::Ill } else { Ending::Well };
                evidence.note(&job("Flaky"), Duration::from_millis(5), ending);
            }
        };
        some(&mut evidence, 5);
        evidence.turn_over();
        some(&mut evidence, 5);
        assert!(evidence.excess_of_failures() <= 0.0);
        evidence.turn_over();
        some(&mut evidence, 20);
        assert!(evidence.excess_of_failures() > 0.5, "{}", evidence.excess_of_failures());
        evidence.learn();
        some(&mut evidence, 20);
        assert!(evidence.excess_of_failures() > 0.3, "failing always is never what it does by itself");
    }

    #[test]
    fn endings_that_say_nothing_are_not_counted() {
        let mut evidence = Evidence::default();
        evidence.note(&job("Canceled"), Duration::ZERO, Ending::Neither);
        assert_eq!(evidence.count(), 0);
        assert_eq!((evidence.slowness(), evidence.excess_of_failures()), (1.0, 0.0));
    }
}
