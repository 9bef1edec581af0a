//! Turns: which jobs go next in a shared queue.

use std::collections::BTreeMap;
use std::iter::Peekable;

use windlass_core::{Gate, NewJob, QueueName};
use windlass_store::gatekeeper::Closed;
use windlass_store::turns::Line;

use crate::entry::Seq;
use crate::queue::Queue;
use crate::table::Table;

impl Table {
    /// Where a job that becomes ready waits, if its queue is shared; its line takes part from now on.
    pub(crate) fn line_up(&mut self, new: &NewJob) -> Option<Box<Closed>> {
        let gate = self.keeper.turn_of(new)?;
        if let Gate::Turn(key) = &gate {
            self.keeper.join(&new.queue, &Some(key.clone()));
        }
        Some(Box::new(Closed { gate, opens: None, first: false }))
    }

    /// The next jobs of a queue that is shared, line by line.
    pub(crate) fn choose_in_turn(&mut self, name: &QueueName, most: usize) -> Vec<Seq> {
        let Some(queue) = self.index.queue(name) else { return Vec::new() };
        if queue.ready().next().is_some() {
            self.keeper.join(name, &None);
        }
        let mut lines: BTreeMap<Line, Peekable<Box<dyn Iterator<Item = Seq> + '_>>> = BTreeMap::new();
        let mut chosen = Vec::new();
        while chosen.len() < most
            && let Some((line, number)) = self.keeper.next_turn(name)
        {
            let waiting = lines.entry(line.clone()).or_insert_with(|| waiting_in(queue, &line).peekable());
            let number = usize::try_from(number).unwrap_or(usize::MAX).min(most - chosen.len());
            let before = chosen.len();
            chosen.extend(waiting.by_ref().take(number));
            self.keeper.took_turns(name, &line, (chosen.len() - before) as u64, waiting.peek().is_some());
        }
        chosen
    }
}

fn waiting_in<'a>(queue: &'a Queue, line: &Line) -> Box<dyn Iterator<Item = Seq> + 'a> {
    match line {
        Some(key) => Box::new(queue.held_at(&Gate::Turn(key.clone()))),
        None => Box::new(queue.ready()),
    }
}
