//! Which measurements answer a question.

use std::num::NonZero;

use crate::args::{Asked, Place, Question};
use crate::machine;
use crate::questions::{outage, upstream};

/// One row of the answer: the systems that are measured beside each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) question: Question,
    pub(crate) store: Place,
    pub(crate) mode: &'static str,
    pub(crate) jobs: u64,
    pub(crate) systems: Vec<System>,
}

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    Floor,
    Windlass,
    Peer(Peer),
}

/// Another job queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// How many jobs it is given at most: some need a second for a thousand.
    pub(crate) jobs_max: u64,
    /// Whether what it acknowledges survives a power cut; only then it is compared.
    pub(crate) durable: bool,
}

/// Those that keep jobs in a file, each with its own best documented settings; `-full` with `synchronous=FULL` in
/// place of its own `NORMAL`, which loses acknowledged jobs with the power.
const EMBEDDED_PEERS: [Peer; 3] = [
    Peer { name: "rustqueue-redb", jobs_max: 20_000, durable: true },
    Peer { name: "azums-sqlite", jobs_max: 5_000, durable: false },
    Peer { name: "azums-sqlite-full", jobs_max: 5_000, durable: true },
];

/// Those that keep jobs on PostgreSQL, on servers of the same settings.
const POSTGRES_PEERS: [Peer; 7] = [
    Peer { name: "graphile-worker-postgres", jobs_max: 100_000, durable: true },
    Peer { name: "graphile-worker-rs-postgres", jobs_max: 100_000, durable: true },
    Peer { name: "pg-boss-postgres", jobs_max: 50_000, durable: true },
    Peer { name: "awa-postgres", jobs_max: 20_000, durable: true },
    Peer { name: "apalis-postgres", jobs_max: 40_000, durable: true },
    Peer { name: "asyncmq-postgres", jobs_max: 1_000, durable: true },
    Peer { name: "procrastinate-postgres", jobs_max: 5_000, durable: true },
];

/// Needs a server that understands `XADD` with `IDMP`.
const CHASQUIMQ: Peer = Peer { name: "chasquimq-redis", jobs_max: 100_000, durable: true };
const CHASQUIMQ_NEEDS: (u32, u32) = (8, 6);

/// Those that keep jobs on Redis, on servers of the same settings. apalis fails above about 8 000 waiting jobs.
const REDIS_PEERS: [Peer; 6] = [
    Peer { name: "bullmq-redis", jobs_max: 50_000, durable: true },
    Peer { name: "bullmq-js-redis", jobs_max: 50_000, durable: true },
    Peer { name: "apalis-redis", jobs_max: 7_000, durable: true },
    Peer { name: "oxana-redis", jobs_max: 20_000, durable: true },
    Peer { name: "asyncmq-redis", jobs_max: 5_000, durable: true },
    Peer { name: "saq-redis", jobs_max: 5_000, durable: true },
];

impl Case {
    /// How many threads the runtime is best given. Peers get them all, but where a lone caller
    /// waits for Redis: there bullmq-official too is faster with one that it shares with nobody.
    pub(crate) fn threads(&self, system: System) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        match (self.question, self.store) {
            (Question::Submit, Place::Redis) if self.mode == "one" => (cores - 1).max(1),
            _ if matches!(system, System::Peer(_)) => cores,
            (Question::Http, Place::Embedded) | (Question::Drain, Place::Postgres) => (cores - 1).max(1),
            _ => cores,
        }
    }
}

impl System {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Windlass => "windlass",
            Self::Peer(peer) => peer.name,
        }
    }
}

/// All cases of what was asked.
pub(crate) fn cases(asked: &Asked, question: Question) -> Vec<Case> {
    let all = asked.store.iter().flat_map(|store| cases_on(asked, question, *store));
    all.filter(|case| asked.mode.is_empty() || asked.mode.iter().any(|mode| mode == case.mode)).collect()
}

fn cases_on(asked: &Asked, question: Question, store: Place) -> Vec<Case> {
    let case = |(mode, jobs): &(&'static str, u64)| Case {
        question,
        store,
        mode,
        jobs: asked.jobs.unwrap_or(*jobs),
        systems: match question {
            Question::Upstream if *mode != upstream::ADAPTIVE => vec![System::Windlass],
            Question::Outage if *mode != outage::FIXED => vec![System::Windlass],
            _ => systems(asked, question, store),
        },
    };
    modes(question, store).iter().map(case).collect()
}

/// The ways of use and the jobs that take about a second.
fn modes(question: Question, store: Place) -> &'static [(&'static str, u64)] {
    match (question, store) {
        (Question::Submit, Place::Memory) => &[("one", 100_000), ("callers64", 200_000), ("bulk1000", 500_000)],
        (Question::Submit, Place::Embedded) => &[("one", 20_000), ("callers64", 100_000), ("bulk1000", 300_000)],
        (Question::Submit, Place::Postgres) => &[("one", 3_000), ("callers64", 30_000), ("bulk1000", 100_000)],
        (Question::Drain, Place::Memory) => &[("backlog", 200_000)],
        (Question::Drain, Place::Embedded) => &[("backlog", 200_000)],
        (Question::Drain, Place::Postgres) => &[("backlog", 100_000)],
        (Question::Submit, Place::Redis) => &[("one", 10_000), ("callers64", 100_000), ("bulk1000", 200_000)],
        (Question::Drain, Place::Redis) => &[("backlog", 200_000)],
        (Question::Steady, Place::Memory) => &[("callers64", 200_000)],
        (Question::Steady, Place::Embedded) => &[("callers64", 50_000)],
        (Question::Steady, Place::Postgres) => &[("callers64", 30_000)],
        (Question::Steady, Place::Redis) => &[("callers64", 100_000)],
        (Question::Latency, _) => &[("idle", 300)],
        (Question::Http, _) => &[("connections64", 200_000)],
        (Question::Depth, _) => &[("million", 1_000_000)],
        (Question::Snapshot, Place::Postgres) => &[("tenminutes", 300_000)],
        (Question::Snapshot, _) => &[],
        // Several times as long as jobs are kept.
        (Question::Retention, Place::Memory) => &[("callers64", 3_000_000)],
        (Question::Retention, Place::Embedded) => &[("callers64", 600_000)],
        (Question::Retention, Place::Postgres) => &[("callers64", 200_000)],
        (Question::Retention, Place::Redis) => &[("callers64", 400_000)],
        (Question::Limits, Place::Postgres) => &[("queue", 100_000), ("keys10k", 100_000)],
        (Question::Limits, _) => &[("queue", 200_000), ("keys10k", 200_000)],
        (Question::Fairness, _) => &[("flood", 1_000_000)],
        (Question::Delays, _) => &[("halfload", 10_000)],
        // What jobs cost is next to nothing here, whatever the store.
        (Question::Upstream, Place::Memory) => &upstream::MODES,
        (Question::Outage, Place::Memory) => &outage::MODES,
        (Question::Upstream | Question::Outage, _) => &[],
        (Question::Idle, _) => &[("idle", 1_000)],
        // What memory holds does not outlive its process.
        (Question::Recovery, Place::Memory) => &[],
        (Question::Recovery, _) => &[("kill", 200)],
    }
}

fn systems(asked: &Asked, question: Question, store: Place) -> Vec<System> {
    let mut systems = vec![System::Floor, System::Windlass];
    let peers: &[Peer] = match store {
        Place::Embedded if question == Question::Latency => &[],
        Place::Embedded => &EMBEDDED_PEERS,
        Place::Postgres => &POSTGRES_PEERS,
        Place::Redis => &REDIS_PEERS,
        Place::Memory => &[],
    };
    if asked.peers && matches!(question, Question::Submit | Question::Drain | Question::Latency) {
        systems.extend(peers.iter().copied().map(System::Peer));
        if store == Place::Redis && machine::redis_version() >= Some(CHASQUIMQ_NEEDS) {
            systems.push(System::Peer(CHASQUIMQ));
        }
    }
    systems
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::Command;

    fn planned(line: &str) -> Vec<Case> {
        let words = std::iter::once("windlass-bench").chain(line.split(' '));
        let asked = Command::try_parse_from(words).expect("valid").asked;
        cases(&asked, asked.question.expect("given"))
    }

    #[test]
    fn peers_are_measured_where_they_can_be_compared() {
        let systems = |line| planned(line).iter().map(|case| case.systems.len()).collect::<Vec<_>>();
        assert_eq!(systems("drain --peers"), [2, 5]);
        assert_eq!(systems("steady --peers"), [2, 2]);
        let newest = usize::from(machine::redis_version() >= Some(CHASQUIMQ_NEEDS));
        let servers = [2 + POSTGRES_PEERS.len(), 2 + REDIS_PEERS.len() + newest];
        assert_eq!(systems("drain --store postgres,redis --peers"), servers);
    }

    #[test]
    fn modes_can_be_chosen() {
        let cases = planned("submit --store embedded --mode one,bulk1000 --jobs 10");
        let modes: Vec<_> = cases.iter().map(|case| (case.mode, case.jobs)).collect();
        assert_eq!(modes, [("one", 10), ("bulk1000", 10)]);
    }
}
