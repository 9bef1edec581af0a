//! What the rounds say together: medians, and ratios within each round.

use serde::Serialize;

use crate::measurement::{Measurement, Moment};
use crate::plan::{Case, System};

/// Compares, phase by phase, to the best of the others. What changes is the upstream, and a different fixed number is the
/// best in each phase.
pub(crate) fn compare_to_fixed(figure: &mut Figure, fixed: &[Figure]) {
    let best = |phase: usize| fixed.iter().filter_map(|one| one.phases_per_s.get(phase)).copied().reduce(f64::max);
    let own = figure.phases_per_s.iter().enumerate();
    figure.ratio_to_best_fixed = own.filter_map(|(phase, rate)| Some(rate / best(phase)?)).collect();
}

/// One line of the output. `jobs` and `completed` are of one run; `lost` and `duplicated` are of all runs.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figure {
    pub(crate) question: &'static str,
    pub(crate) system: &'static str,
    pub(crate) store: &'static str,
    pub(crate) mode: &'static str,
    pub(crate) runs: usize,
    pub(crate) jobs: u64,
    pub(crate) completed: u64,
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    pub(crate) jobs_per_s: Option<f64>,
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
    pub(crate) max_ms: Option<f64>,
    pub(crate) rss_mib: Option<f64>,
    pub(crate) store_calls_per_s: Option<f64>,
    pub(crate) cpu_ms_per_s: Option<f64>,
    pub(crate) client_cpu_us_per_job: Option<f64>,
    pub(crate) server_cpu_us_per_job: Option<f64>,
    pub(crate) wal_bytes_per_job: Option<f64>,
    pub(crate) commits_per_job: Option<f64>,
    pub(crate) commands_per_job: Option<f64>,
    pub(crate) in_vain: Option<f64>,
    pub(crate) given_up: Option<f64>,
    pub(crate) floor_jobs_per_s: Option<f64>,
    pub(crate) floor_p50_ms: Option<f64>,
    pub(crate) floor_p99_ms: Option<f64>,
    pub(crate) floor_rss_mib: Option<f64>,
    /// Jobs per second over the floor's; for questions of time, p99 over the floor's.
    pub(crate) ratio_to_floor: Option<f64>,
    /// Jobs per second over those of the round's best peer that is as durable; for questions of time, p99 over its p99.
    pub(crate) ratio_to_best_peer: Option<f64>,
    /// Jobs per second in each phase, and of the number that the engine finds out, over the best fixed number's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) phases_per_s: Vec<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ratio_to_best_fixed: Vec<f64>,
    /// The last run's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) course: Vec<Moment>,
    pub(crate) settings: String,
    pub(crate) floor_settings: String,
    pub(crate) versions: String,
}

impl Figure {
    /// Whether each job was executed and completed exactly once in every run.
    pub(crate) fn is_sound(&self) -> bool {
        self.lost == 0 && self.duplicated == 0 && self.completed == self.jobs
    }
}

/// One figure per system but the floor, from rounds whose measurements are in the order of the case's systems.
pub(crate) fn figures(case: &Case, rounds: &[Vec<Measurement>]) -> Vec<Figure> {
    let systems = case.systems.iter().enumerate();
    let measured = systems.filter(|(_, system)| **system != System::Floor);
    measured.map(|(place, system)| Rounds { case, rounds, place }.figure(*system)).collect()
}

/// One system among the others.
struct Rounds<'a> {
    case: &'a Case,
    rounds: &'a [Vec<Measurement>],
    place: usize,
}

impl Rounds<'_> {
    fn figure(&self, system: System) -> Figure {
        let last = self.own().last().cloned().unwrap_or_default();
        Figure {
            question: self.case.question.name(),
            system: system.name(),
            store: self.case.store.name(),
            mode: self.case.mode,
            runs: self.rounds.len(),
            jobs: last.jobs,
            completed: self.own().map(|one| one.completed).min().unwrap_or(0),
            lost: self.own().map(|one| one.lost).sum(),
            duplicated: self.own().map(|one| one.duplicated).sum(),
            jobs_per_s: median(self.own().map(|one| one.jobs_per_s)),
            p50_ms: median(self.own().map(|one| one.p50_ms)),
            p99_ms: median(self.own().map(|one| one.p99_ms)),
            max_ms: self.own().filter_map(|one| one.max_ms).reduce(f64::max),
            rss_mib: median(self.own().map(|one| one.rss_mib)),
            store_calls_per_s: median(self.own().map(|one| one.store_calls_per_s)),
            cpu_ms_per_s: median(self.own().map(|one| one.cpu_ms_per_s)),
            client_cpu_us_per_job: median(self.own().map(|one| one.client_cpu_us_per_job)),
            server_cpu_us_per_job: median(self.own().map(|one| one.server_cpu_us_per_job)),
            wal_bytes_per_job: median(self.own().map(|one| one.wal_bytes_per_job)),
            commits_per_job: median(self.own().map(|one| one.commits_per_job)),
            commands_per_job: median(self.own().map(|one| one.commands_per_job)),
            in_vain: median(self.own().map(|one| one.in_vain)),
            given_up: median(self.own().map(|one| one.given_up)),
            floor_jobs_per_s: median(self.floor().map(|one| one.jobs_per_s)),
            floor_p50_ms: median(self.floor().map(|one| one.p50_ms)),
            floor_p99_ms: median(self.floor().map(|one| one.p99_ms)),
            floor_rss_mib: median(self.floor().map(|one| one.rss_mib)),
            ratio_to_floor: median(self.rounds.iter().map(|round| ratio(&round[self.place], self.floor_of(round)?))),
            ratio_to_best_peer: median(self.rounds.iter().map(|round| self.ratio_to_best_peer(system, round))),
            phases_per_s: self.phases(last.phases_per_s.len()),
            ratio_to_best_fixed: Vec::new(),
            course: last.course,
            settings: last.settings,
            floor_settings: self.floor().last().map(|one| one.settings.clone()).unwrap_or_default(),
            versions: last.versions,
        }
    }

    fn phases(&self, count: usize) -> Vec<f64> {
        (0..count).filter_map(|phase| median(self.own().map(|one| one.phases_per_s.get(phase).copied()))).collect()
    }

    fn own(&self) -> impl Iterator<Item = &Measurement> {
        self.rounds.iter().map(|round| &round[self.place])
    }

    fn floor(&self) -> impl Iterator<Item = &Measurement> {
        self.rounds.iter().filter_map(|round| self.floor_of(round))
    }

    fn floor_of<'r>(&self, round: &'r [Measurement]) -> Option<&'r Measurement> {
        let systems = self.case.systems.iter().zip(round);
        systems.into_iter().find(|(system, _)| **system == System::Floor).map(|(_, found)| found)
    }

    fn ratio_to_best_peer(&self, system: System, round: &[Measurement]) -> Option<f64> {
        let durable = |system: &System| matches!(system, System::Peer(peer) if peer.durable);
        let peers = self.case.systems.iter().zip(round).filter(|(system, _)| durable(system));
        let best = peers.map(|(_, found)| found).min_by(|one, other| slowness(one).total_cmp(&slowness(other)))?;
        (system == System::Windlass).then(|| ratio(&round[self.place], best))?
    }
}

/// Less is better.
fn slowness(found: &Measurement) -> f64 {
    found.jobs_per_s.map(|rate| -rate).or(found.p99_ms).unwrap_or(f64::INFINITY)
}

fn ratio(own: &Measurement, floor: &Measurement) -> Option<f64> {
    match (own.jobs_per_s, floor.jobs_per_s) {
        (Some(rate), Some(floor)) => Some(rate / floor),
        _ => Some(own.p99_ms? / floor.p99_ms?),
    }
}

/// The middle of those that are there; of an even number, the mean of the two in the middle.
fn median(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.flatten().collect();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = sorted[(sorted.len() - 1) / 2];
    Some((lower + upper) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Place, Question};
    use crate::plan::Peer;

    fn rate(jobs_per_s: f64) -> Measurement {
        Measurement { jobs: 1, completed: 1, jobs_per_s: Some(jobs_per_s), ..Measurement::default() }
    }

    fn case(systems: Vec<System>) -> Case {
        Case { question: Question::Drain, store: Place::Memory, mode: "backlog", jobs: 1, systems }
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let rounds = [[rate(100.0), rate(50.0)], [rate(10.0), rate(4.0)], [rate(1.0), rate(0.9)]];
        let rounds: Vec<Vec<Measurement>> = rounds.map(Vec::from).into();
        let figures = figures(&case(vec![System::Floor, System::Windlass]), &rounds);
        assert_eq!(figures.len(), 1);
        assert_eq!(figures[0].ratio_to_floor, Some(0.5));
        assert_eq!((figures[0].jobs_per_s, figures[0].floor_jobs_per_s), (Some(4.0), Some(10.0)));
    }

    #[test]
    fn windlass_is_compared_to_the_best_peer_that_is_as_durable() {
        let peer = |name, durable| System::Peer(Peer { name, jobs_max: 1, durable });
        let peers = [peer("slow", true), peer("fast", true), peer("careless", false)];
        let systems = [System::Floor, System::Windlass].into_iter().chain(peers).collect();
        let figures = figures(&case(systems), &[[9.0, 6.0, 1.0, 3.0, 8.0].map(rate).into()]);
        let ratios: Vec<_> = figures.iter().map(|figure| figure.ratio_to_best_peer).collect();
        assert_eq!(ratios, [Some(2.0), None, None, None]);
    }

    #[test]
    fn a_lost_job_in_any_round_spoils_the_figure() {
        let spoiled = Measurement { completed: 0, lost: 1, ..rate(1.0) };
        let rounds = [vec![rate(1.0), spoiled], vec![rate(1.0), rate(1.0)]];
        assert!(!figures(&case(vec![System::Floor, System::Windlass]), &rounds)[0].is_sound());
    }

    #[test]
    fn each_phase_has_its_own_best_fixed_number() {
        let phases = |phases: [f64; 2]| {
            let found = Measurement { phases_per_s: phases.into(), ..rate(1.0) };
            figures(&case(vec![System::Windlass]), &[vec![found]]).remove(0)
        };
        let mut own = phases([9.0, 8.0]);
        compare_to_fixed(&mut own, &[phases([10.0, 1.0]), phases([5.0, 4.0])]);
        assert_eq!(own.ratio_to_best_fixed, [0.9, 2.0]);
    }

    #[test]
    fn medians_skip_what_was_not_measured() {
        assert_eq!(median([Some(1.0), None, Some(3.0)].into_iter()), Some(2.0));
        assert_eq!(median([None].into_iter()), None);
    }
}
