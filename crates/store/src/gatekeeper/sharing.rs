//! Queues whose keys take turns.

use windlass_core::{Gate, Key, NewJob, QueueName};

use super::Gatekeeper;
use crate::turns::Line;

impl Gatekeeper {
    /// Where a job that becomes ready waits for its turn, if its queue is shared and it has a key of that kind.
    pub fn turn_of(&self, new: &NewJob) -> Option<Gate> {
        if !self.shares {
            return None;
        }
        let rule = self.rules.get(&Gate::Queue(new.queue.clone()))?;
        let kind = rule.share.by.as_deref()?;
        let key = new.keys().iter().find(|key| key.is_of(kind))?;
        Some(Gate::Turn(key.clone()))
    }

    /// Whether jobs of a queue that become ready may have to wait for their turn.
    pub fn is_shared(&self, queue: &QueueName) -> bool {
        self.shares && self.rules.get(&Gate::Queue(queue.clone())).is_some_and(|rule| rule.share.by.is_some())
    }

    /// A job waits in a line for its turn.
    pub fn join(&mut self, queue: &QueueName, line: &Line) {
        self.turns.join(queue, line);
    }

    /// Whether the lines of a queue take turns, now that somebody waits there.
    pub fn takes_turns(&self, queue: &QueueName) -> bool {
        self.turns.any(queue)
    }

    /// Whose turn it is, and how many of them may go before it is another's.
    pub fn next_turn(&self, queue: &QueueName) -> Option<(Line, u64)> {
        self.turns.next(queue, |line| self.weight(line.as_ref()))
    }

    /// So many of a line went, or may not go; does anybody stay behind?
    pub fn took_turns(&mut self, queue: &QueueName, line: &Line, number: u64, stay: bool) {
        match stay {
            true => self.turns.took(queue, line, number, self.weight(line.as_ref())),
            false => self.turns.leave(queue, line),
        }
    }

    pub(super) fn weight(&self, key: Option<&Key>) -> u32 {
        let terms = key.filter(|_| self.keys).and_then(|key| self.terms(&Gate::Key(key.clone())));
        terms.and_then(|terms| terms.weight).unwrap_or(1)
    }
}
