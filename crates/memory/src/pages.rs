//! All jobs by number. Numbers are given out in order, so a job's place follows from its number and finding it costs
//! no search; pages come and go as a whole, so a few jobs that stay long keep little else in memory.

use std::collections::VecDeque;

use crate::entry::{Entry, Seq};

/// Jobs on a page.
const PAGE: usize = 256;

/// Boxed, so that a growing queue of pages moves pointers and not jobs.
#[derive(Debug)]
struct Page {
    used: usize,
    jobs: [Option<Box<Entry>>; PAGE],
}

#[derive(Debug, Default)]
pub(crate) struct Pages {
    /// The number of the first page that is kept.
    first: usize,
    pages: VecDeque<Option<Box<Page>>>,
}

impl Pages {
    pub(crate) fn get(&self, seq: Seq) -> Option<&Entry> {
        let (page, place) = split(seq);
        self.pages.get(page.checked_sub(self.first)?)?.as_ref()?.jobs[place].as_deref()
    }

    pub(crate) fn get_mut(&mut self, seq: Seq) -> Option<&mut Entry> {
        let (page, place) = split(seq);
        self.pages.get_mut(page.checked_sub(self.first)?)?.as_mut()?.jobs[place].as_deref_mut()
    }

    /// Adds a job whose number is above all others.
    pub(crate) fn push(&mut self, entry: Box<Entry>) {
        let (page, place) = split(entry.seq);
        if self.pages.is_empty() {
            self.first = page;
        }
        while self.first + self.pages.len() <= page {
            self.pages.push_back(None);
        }
        let page = self.pages[page - self.first].get_or_insert_with(Page::blank);
        page.used += 1;
        page.jobs[place] = Some(entry);
    }

    pub(crate) fn remove(&mut self, seq: Seq) -> Option<Box<Entry>> {
        let (page, place) = split(seq);
        let slot = self.pages.get_mut(page.checked_sub(self.first)?)?;
        let kept = slot.as_mut()?;
        let entry = kept.jobs[place].take()?;
        kept.used -= 1;
        if kept.used == 0 {
            *slot = None;
            self.drop_first();
        }
        Some(entry)
    }

    fn drop_first(&mut self) {
        while let Some(None) = self.pages.front() {
            self.pages.pop_front();
            self.first += 1;
        }
    }

    /// The jobs after number `seq`, in order.
    pub(crate) fn after(&self, seq: Seq) -> impl Iterator<Item = &Entry> {
        let pages = self.pages.iter().skip(split(seq).0.saturating_sub(self.first));
        let entries = pages.flatten().flat_map(|page| page.jobs.iter().flatten().map(Box::as_ref));
        entries.skip_while(move |entry| entry.seq <= seq)
    }
}

impl Page {
    fn blank() -> Box<Self> {
        Box::new(Self { used: 0, jobs: [const { None }; PAGE] })
    }
}

/// The number of a job's page and its place there.
#[expect(clippy::cast_possible_truncation, reason = "as many jobs as fit into memory have numbers that fit too")]
fn split(seq: Seq) -> (usize, usize) {
    (seq as usize / PAGE, seq as usize % PAGE)
}

#[cfg(test)]
mod tests {
    use windlass_core::{NewJob, Payload, Timestamp};

    use super::*;

    fn entry(seq: Seq) -> Box<Entry> {
        let job = NewJob::build("Job", Payload::empty()).finish(Timestamp::UNIX_EPOCH).expect("valid");
        Box::new(Entry::accept(job.into(), seq, 0, Timestamp::UNIX_EPOCH))
    }

    fn filled(seqs: impl IntoIterator<Item = Seq>) -> Pages {
        let mut pages = Pages::default();
        seqs.into_iter().for_each(|seq| pages.push(entry(seq)));
        pages
    }

    fn numbers(pages: &Pages, after: Seq) -> Vec<Seq> {
        pages.after(after).map(|entry| entry.seq).collect()
    }

    #[test]
    fn jobs_are_found_by_number_and_listed_in_order() {
        let pages = filled(1..=600);
        assert!((1..=600).all(|seq| pages.get(seq).is_some_and(|entry| entry.seq == seq)));
        assert!(pages.get(0).is_none() && pages.get(601).is_none() && pages.get(Seq::MAX).is_none());
        assert_eq!(numbers(&pages, 255), (256..=600).collect::<Vec<_>>());
        assert!(numbers(&pages, 600).is_empty());
        assert!(numbers(&pages, Seq::MAX).is_empty());
    }

    #[test]
    fn what_stays_long_keeps_its_own_page_and_no_other() {
        let mut pages = filled(1..=1_000);
        (1..=1_000).filter(|&seq| seq != 300).for_each(|seq| assert!(pages.remove(seq).is_some()));
        assert_eq!((numbers(&pages, 0), pages.pages.iter().flatten().count()), (vec![300], 1));
        assert!(pages.remove(300).is_some() && pages.remove(300).is_none());
        assert!(pages.pages.is_empty());
        pages.push(entry(70_000));
        assert_eq!((numbers(&pages, 0), pages.pages.len()), (vec![70_000], 1));
    }
}
