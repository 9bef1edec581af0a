//! Whose turn it is in shared queues, in the plainest possible form, for the model.

use std::collections::{BTreeMap, VecDeque};

use windlass_core::{Key, QueueName};

/// The jobs with this key, or those without.
pub type Line = Option<Key>;

/// When each line is next, in a time that passes with starts.
#[derive(Clone, Debug, Default)]
pub struct Turns(BTreeMap<(QueueName, Line), f64>);

impl Turns {
    /// Those who wait in a queue, by line, and when the line is next: a line that was not there begins with whoever is next.
    fn stamps(&mut self, queue: &QueueName, lines: &[Line]) -> BTreeMap<Line, f64> {
        self.0.retain(|(of, line), _| of != queue || lines.contains(line));
        let next = self.0.iter().filter(|((of, _), _)| of == queue).map(|(_, stamp)| *stamp).fold(f64::MAX, f64::min);
        let next = if next == f64::MAX { 0.0 } else { next };
        for line in lines {
            self.0.entry((queue.clone(), line.clone())).or_insert(next);
        }
        self.0.iter().filter(|((of, _), _)| of == queue).map(|((_, line), stamp)| (line.clone(), *stamp)).collect()
    }

    /// The places of those who wait in a queue, in the order in which they go if all may.
    pub fn order(&mut self, queue: &QueueName, waiting: &[(Line, u64)], weight: impl Fn(&Line) -> u32) -> Vec<u64> {
        let mut lines = BTreeMap::<Line, VecDeque<u64>>::new();
        for (line, place) in waiting {
            lines.entry(line.clone()).or_default().push_back(*place);
        }
        let mut stamps = self.stamps(queue, &lines.keys().cloned().collect::<Vec<_>>());
        let mut order = Vec::with_capacity(waiting.len());
        while let Some((line, stamp)) = stamps.iter_mut().min_by(|(_, one), (_, other)| one.total_cmp(other)) {
            order.extend(lines.get_mut(line).and_then(VecDeque::pop_front));
            *stamp += 1.0 / f64::from(weight(line));
            let line = line.clone();
            if lines.get(&line).is_none_or(VecDeque::is_empty) {
                stamps.remove(&line);
            }
        }
        order
    }

    /// A job of a line starts.
    pub fn took(&mut self, queue: &QueueName, line: &Line, weight: u32) {
        if let Some(stamp) = self.0.get_mut(&(queue.clone(), line.clone())) {
            *stamp += 1.0 / f64::from(weight);
        }
    }
}
