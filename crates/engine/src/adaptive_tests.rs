//! The limit against an upstream whose capacity halves and recovers, event by event in virtual time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use windlass_core::JobName;

use crate::adaptive::{Adaptive, Round};
use crate::evidence::Ending;

/// What one request takes by itself.
const LATENCY: u64 = 1_000_000;
/// When whoever asked gives up. The upstream does not hear of it and does the work all the same.
const PATIENCE: u64 = 5 * LATENCY;
/// How long a refusal takes.
const REFUSAL: u64 = LATENCY / 10;
/// The length of one phase.
const PHASE: u64 = 400 * LATENCY;

/// How long requests take.
#[derive(Clone, Copy, Debug)]
enum Work {
    /// Within a tenth of each other.
    Even,
    /// Some ten times as long as others.
    Exponential,
    /// A fifth of them six times as long as the others.
    Two,
}

/// An upstream that works on `capacity` requests at a time, in order of arrival.
struct Upstream {
    capacity: usize,
    busy: usize,
    waiting: VecDeque<u64>,
    waiting_max: usize,
    work: Work,
    rng: fastrand::Rng,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Answered(u64),
    GaveUp(u64),
    Refused(u64),
    Capacity(usize),
    Over,
}

/// Whoever says how many may run.
enum Limit {
    Fixed(usize),
    Adaptive(Adaptive),
}

/// A process: it asks as often as its limit allows.
struct Process {
    limit: Limit,
    running: usize,
}

/// One request on its way.
#[derive(Clone, Copy)]
struct Asked {
    process: usize,
    at: u64,
    round: Option<Round>,
}

struct Simulation {
    now: u64,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    processes: Vec<Process>,
    asked: Vec<Asked>,
    ended: Vec<bool>,
    upstream: Upstream,
    good: [u64; 3],
    job: JobName,
}

impl Upstream {
    fn work(&mut self) -> u64 {
        let share = match self.work {
            Work::Even => 0.9 + 0.2 * self.rng.f64(),
            Work::Exponential => -(1.0 - self.rng.f64()).ln(),
            Work::Two if self.rng.u8(0..5) == 0 => 3.0,
            Work::Two => 0.5,
        };
        (LATENCY as f64 * share) as u64
    }

    fn next(&mut self) -> Option<u64> {
        (self.busy < self.capacity).then(|| self.waiting.pop_front()).flatten()
    }
}

impl Limit {
    fn get(&self) -> usize {
        match self {
            Self::Fixed(number) => *number,
            Self::Adaptive(adaptive) => adaptive.limit(),
        }
    }
}

impl Process {
    /// Whether there is room for one more, and the round that it begins in where there are rounds.
    fn begin(&mut self) -> Option<Option<Round>> {
        (self.running < self.limit.get()).then(|| {
            self.running += 1;
            match &mut self.limit {
                Limit::Fixed(_) => None,
                Limit::Adaptive(adaptive) => Some(adaptive.begin()),
            }
        })
    }
}

impl Simulation {
    fn new(limits: Vec<Limit>, capacity: usize, work: Work, seed: u64) -> Self {
        let rng = fastrand::Rng::with_seed(seed);
        let waiting_max = 16 * capacity;
        let upstream = Upstream { capacity, busy: 0, waiting: VecDeque::new(), waiting_max, work, rng };
        let job = JobName::new("Call").expect("valid");
        let mut simulation = Self {
            now: 0,
            events: BinaryHeap::new(),
            processes: limits.into_iter().map(|limit| Process { limit, running: 0 }).collect(),
            asked: Vec::new(),
            ended: Vec::new(),
            upstream,
            good: [0; 3],
            job,
        };
        simulation.at(PHASE, Event::Capacity(capacity / 2));
        simulation.at(2 * PHASE, Event::Capacity(capacity));
        simulation.at(3 * PHASE, Event::Over);
        simulation
    }

    fn at(&mut self, moment: u64, event: Event) {
        let number = self.events.len() as u64;
        self.events.push(Reverse((moment, number, event)));
    }

    /// Goodput of each phase, in requests per latency.
    fn run(mut self) -> [f64; 3] {
        self.fill();
        while let Some(Reverse((now, _, event))) = self.events.pop()
            && event != Event::Over
        {
            self.now = now;
            self.happen(event);
            self.fill();
        }
        self.good.map(|good| good as f64 * LATENCY as f64 / PHASE as f64)
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Answered(id) => {
                self.upstream.busy -= 1;
                self.end(id, Ending::Well);
            }
            Event::GaveUp(id) | Event::Refused(id) => self.end(id, Ending::Ill),
            Event::Capacity(capacity) => self.upstream.capacity = capacity,
            Event::Over => {}
        }
        while let Some(id) = self.upstream.next() {
            self.serve(id);
        }
    }

    /// There is always more to do.
    fn fill(&mut self) {
        for process in 0..self.processes.len() {
            while let Some(round) = self.processes[process].begin() {
                self.ended.push(false);
                self.asked.push(Asked { process, at: self.now, round });
                self.ask(self.asked.len() as u64 - 1);
            }
        }
    }

    fn ask(&mut self, id: u64) {
        if self.upstream.busy < self.upstream.capacity {
            self.serve(id);
        } else if self.upstream.waiting.len() < self.upstream.waiting_max {
            self.upstream.waiting.push_back(id);
        } else {
            return self.at(self.now + REFUSAL, Event::Refused(id));
        }
        self.at(self.now + PATIENCE, Event::GaveUp(id));
    }

    fn serve(&mut self, id: u64) {
        self.upstream.busy += 1;
        let work = self.upstream.work();
        self.at(self.now + work, Event::Answered(id));
    }

    fn end(&mut self, id: u64, ending: Ending) {
        if std::mem::replace(&mut self.ended[id as usize], true) {
            return;
        }
        let Asked { process, at, round } = self.asked[id as usize];
        let Process { limit, running } = &mut self.processes[process];
        *running -= 1;
        if let (Limit::Adaptive(adaptive), Some(round)) = (limit, round) {
            adaptive.end(round, &self.job, Duration::from_nanos(self.now - at), ending);
        }
        if ending == Ending::Well {
            self.good[((self.now / PHASE) as usize).min(2)] += 1;
        }
    }
}

/// The best that any fixed number does in each phase.
fn best_fixed(capacity: usize, work: Work, seed: u64) -> [f64; 3] {
    let all = (1..=4 * capacity).map(|number| Simulation::new(vec![Limit::Fixed(number)], capacity, work, seed).run());
    all.fold([0.0; 3], |best, one| std::array::from_fn(|phase| f64::max(best[phase], one[phase])))
}

/// The shares of the best fixed number in each phase, from the first request on.
fn shares(processes: usize, capacity: usize, work: Work, seed: u64) -> [f64; 3] {
    let adaptive = || Limit::Adaptive(Adaptive::between(1, 4 * capacity));
    let best = best_fixed(capacity, work, seed);
    let limits = std::iter::repeat_with(adaptive).take(processes).collect();
    let own = Simulation::new(limits, capacity, work, seed).run();
    std::array::from_fn(|phase| own[phase] / best[phase])
}

fn holds_nine_tenths(capacity: usize, work: Work) {
    for seed in 0..2 {
        let shares = shares(1, capacity, work, seed);
        println!("{work:?}, capacity {capacity}, seed {seed}: {shares:.3?} of the best fixed number");
        assert!(shares.iter().all(|share| *share >= 0.9), "{work:?}, capacity {capacity}, seed {seed}: {shares:?}");
    }
}

#[test]
fn an_upstream_of_even_requests_halves_and_recovers() {
    holds_nine_tenths(4, Work::Even);
    holds_nine_tenths(16, Work::Even);
}

#[test]
fn an_upstream_of_requests_that_take_any_time_halves_and_recovers() {
    holds_nine_tenths(4, Work::Exponential);
    holds_nine_tenths(16, Work::Exponential);
}

#[test]
fn an_upstream_of_short_and_long_requests_halves_and_recovers() {
    holds_nine_tenths(4, Work::Two);
    holds_nine_tenths(16, Work::Two);
}

/// What makes a fixed number wrong: the one that is best before is far too high when the capacity has halved, and any that
/// is safe then wastes half before.
#[test]
fn no_fixed_number_does_as_well_throughout() {
    let best = best_fixed(16, Work::Even, 0);
    let worst_phase = |number| {
        let own = Simulation::new(vec![Limit::Fixed(number)], 16, Work::Even, 0).run();
        (0..3).map(|phase| own[phase] / best[phase]).fold(f64::INFINITY, f64::min)
    };
    assert!(worst_phase(8) < 0.6 && worst_phase(64) < 0.1, "{} {}", worst_phase(8), worst_phase(64));
}

/// None of them knows of the others, and what one takes for calm is what the others leave of it.
#[test]
fn four_processes_share_an_upstream_that_halves_and_recovers() {
    for seed in 0..2 {
        let shares = shares(4, 16, Work::Even, seed);
        println!("four processes, seed {seed}: {shares:.3?} of the best fixed number");
        assert!(shares.iter().all(|share| *share >= 0.9), "seed {seed}: {shares:?}");
    }
}
