//! Engines on a server that is taken away from them: the jobs, the load, and what became of every acknowledged job.
#![allow(dead_code, reason = "each test program uses its part")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use windlass::core::{Job, JobId, Status};
use windlass::prelude::*;
use windlass::store::store::SharedStore;
use windlass::store::{Lease, Scope, SubmitOutcome, Token};
use windlass_testkit::servers::Proxy;

/// Which execution of which job ran where, in the order of their starts.
#[derive(Clone, Default)]
pub(crate) struct Runs(Arc<Mutex<Vec<(JobId, u64)>>>);

impl Runs {
    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

#[job(name = "Note", retries = 20)]
pub(crate) async fn note(Json(_number): Json<u32>, State(runs): State<Runs>, ctx: Context) -> Result<()> {
    let lease = Lease { id: ctx.id(), token: Token(ctx.fencing_token()) };
    runs.0.lock().unwrap().push((lease.id, lease.token.0));
    Ok(())
}

/// Holds its thread as handlers should not, for three leases.
#[job(name = "Block")]
async fn block(State(runs): State<Runs>, ctx: Context) -> Result<()> {
    runs.0.lock().unwrap().push((ctx.id(), ctx.fencing_token()));
    std::thread::sleep(Duration::from_secs(6));
    Ok(())
}

fn hasty(settings: &mut Settings) {
    settings.lease = 3.seconds();
    settings.sweep_interval = 1.seconds();
    settings.poll_interval = 1.seconds();
    settings.max_queue_size = 1_000_000;
}

pub(crate) async fn start(url: &str, runs: &Runs) -> Windlass {
    Windlass::open(url).handler(note).state(runs.clone()).configure(hasty).start().await.unwrap()
}

pub(crate) async fn start_on(store: SharedStore, runs: &Runs) -> Windlass {
    Windlass::with_store(store).handler(note).state(runs.clone()).configure(hasty).start().await.unwrap()
}

/// An acknowledged job, and when it was.
pub(crate) type Acknowledged = (JobId, Instant);

/// Submits until it is told to stop and keeps what was acknowledged. An id whose answer got lost is asked again, as a
/// client with an idempotency key would.
pub(crate) async fn submit(windlass: Windlass, until: Instant) -> Vec<Acknowledged> {
    let mut acknowledged = Vec::new();
    while Instant::now() < until {
        let id = JobId::generate(windlass::core::Timestamp::UNIX_EPOCH);
        for _ in 0..200 {
            match note.submit(&windlass, 7).id(id).await {
                Ok(answer) => {
                    assert!(matches!(answer.outcome, SubmitOutcome::Created(_) | SubmitOutcome::Existing));
                    acknowledged.push((id, Instant::now()));
                    break;
                }
                Err(_away) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
    acknowledged
}

pub(crate) fn load(engines: &[Windlass], until: Instant) -> Vec<JoinHandle<Vec<Acknowledged>>> {
    (0..8).map(|which| tokio::spawn(submit(engines[which % engines.len()].clone(), until))).collect()
}

/// The job when it has ended; `None` when the store knows of none.
async fn finished(windlass: &Windlass, id: JobId) -> Option<Job> {
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        match windlass.get(id, &Scope::Everything).await {
            Ok(Some(job)) if job.status.is_finished() => return Some(job),
            Ok(None) => return None,
            _ if Instant::now() > patience => panic!("{id} does not finish"),
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Returns when every engine has run jobs again, which must be so within `patience`. How long it took.
pub(crate) async fn work_again(engines: &[Windlass], runs: &[Runs], patience: Duration) -> Duration {
    let back = Instant::now();
    let before: Vec<_> = runs.iter().map(Runs::count).collect();
    while runs.iter().zip(&before).any(|(runs, before)| runs.count() == *before) {
        assert!(back.elapsed() < patience, "an engine has not come back");
        for engine in engines {
            let _away_for_now = note.submit(engine, 1).await;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    back.elapsed()
}

/// What became of a load.
pub(crate) struct Account {
    pub(crate) acknowledged: usize,
    /// When those were acknowledged that the store knows nothing of any more.
    pub(crate) lost: Vec<Instant>,
    executions_beyond_one: usize,
}

impl Account {
    /// Every acknowledged job is completed or lost, and no token was issued twice for a job.
    pub(crate) async fn of(load: Vec<JoinHandle<Vec<Acknowledged>>>, windlass: &Windlass, runs: &[Runs]) -> Self {
        let (mut acknowledged, mut lost) = (0, Vec::new());
        for submitter in load {
            for (id, when) in submitter.await.unwrap() {
                acknowledged += 1;
                match finished(windlass, id).await {
                    Some(job) => assert_eq!(job.status, Status::Completed, "{id}"),
                    None => lost.push(when),
                }
            }
        }
        assert!(acknowledged > 200, "the load was one: {acknowledged}");
        Self { acknowledged, lost, executions_beyond_one: beyond_one(runs) }
    }
}

impl std::fmt::Display for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { acknowledged, lost, executions_beyond_one } = self;
        write!(f, "{acknowledged} acknowledged, {} lost, {executions_beyond_one} executions beyond one", lost.len())
    }
}

fn beyond_one(runs: &[Runs]) -> usize {
    let mut executions: HashMap<JobId, usize> = HashMap::new();
    let mut tokens = Vec::new();
    for run in runs.iter().flat_map(|runs| runs.0.lock().unwrap().clone()) {
        *executions.entry(run.0).or_default() += 1;
        tokens.push(run);
    }
    tokens.sort();
    let issued = tokens.len();
    tokens.dedup();
    assert_eq!(issued, tokens.len(), "no token was issued twice");
    issued - executions.len()
}

/// Two handlers hold both threads of the runtime for three leases: their jobs run once all the same.
pub(crate) async fn blocked_threads_lose_no_lease(url: &str) {
    let runs = Runs::default();
    let settings = |settings: &mut Settings| (settings.lease, settings.max_concurrency) = (2.seconds(), 2);
    let windlass = Windlass::open(url).handler(block).state(runs.clone()).configure(settings);
    let windlass = windlass.start().await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..2 {
        ids.push(block.submit(&windlass, ()).await.unwrap().id);
    }
    for id in ids {
        let job = finished(&windlass, id).await.unwrap();
        assert_eq!((job.status, job.crashes, job.attempts.len()), (Status::Completed, 0, 1));
    }
    assert_eq!(runs.count(), 2, "each ran once");
    windlass.shutdown().await;
}

pub(crate) const KILLS: u32 = 20;

/// Two engines under load on a server that `kill` ends and starts again, twenty times. What became of it, and when the
/// kills were; the engines work again within five seconds after the last.
pub(crate) async fn killed_under_load(url: &str, mut kill: impl FnMut()) -> (Account, Vec<Instant>) {
    const APART: Duration = Duration::from_millis(500);
    let runs = [Runs::default(), Runs::default()];
    let engines = [start(url, &runs[0]).await, start(url, &runs[1]).await];
    let load = load(&engines, Instant::now() + APART * (KILLS + 1));
    let mut kills = Vec::new();
    for _ in 0..KILLS {
        tokio::time::sleep(APART).await;
        kills.push(Instant::now());
        kill();
    }
    work_again(&engines, &runs, Duration::from_secs(5)).await;
    let account = Account::of(load, &engines[0], &runs).await;
    for engine in engines {
        engine.shutdown_now().await;
    }
    (account, kills)
}

/// An engine under load whose way to the server is cut twenty times amid answers, and twice swallows everything for longer
/// than an answer may take (`store` waits a second). Nothing is lost, callers are refused at once, and it comes back.
pub(crate) async fn cut_and_swallowed(store: SharedStore, proxy: &Proxy) {
    const CUTS: u32 = 20;
    const APART: Duration = Duration::from_millis(200);
    let runs = [Runs::default()];
    let engines = [start_on(store, &runs[0]).await];
    let load = load(&engines, Instant::now() + APART * CUTS + Duration::from_secs(10));
    for _ in 0..CUTS {
        proxy.cut_after(fastrand::usize(1..20_000));
        tokio::time::sleep(APART).await;
    }
    for _ in 0..2 {
        proxy.block();
        tokio::time::sleep(Duration::from_secs(2)).await;
        let asked = Instant::now();
        assert!(note.submit(&engines[0], 1).await.is_err(), "the store is away");
        let heard = asked.elapsed();
        assert!(heard < Duration::from_millis(100), "a caller waited {heard:?} for a store known to be away");
        tokio::time::sleep(Duration::from_secs(1)).await;
        proxy.unblock();
        println!("back {:?} after the network", work_again(&engines, &runs, Duration::from_secs(5)).await);
    }
    let account = Account::of(load, &engines[0], &runs).await;
    println!("{CUTS} cuts and 2 silences: {account}");
    assert_eq!(account.lost.len(), 0);
    engines[0].shutdown_now().await;
}

/// Sixty-four submitters of jobs that are the same, over a way to the server that is cut amid answers: one job is stored,
/// and everyone is told its id. Who gets no answer asks again, as a client with an id of its own would.
pub(crate) async fn one_of_many_that_are_the_same(store: SharedStore, proxy: &Proxy) {
    const SUBMITTERS: usize = 64;
    let runs = Runs::default();
    let serve_only = |settings: &mut Settings| settings.work = false;
    let windlass = Windlass::with_store(store).handler(note).state(runs).configure(serve_only).start().await.unwrap();
    for round in 0..10 {
        let barrier = Arc::new(tokio::sync::Barrier::new(SUBMITTERS + 1));
        let submit = |_| {
            let (windlass, barrier, key) = (windlass.clone(), barrier.clone(), format!("round {round}"));
            tokio::spawn(async move {
                let id = JobId::generate(windlass::core::Timestamp::UNIX_EPOCH);
                barrier.wait().await;
                loop {
                    match note.submit(&windlass, 7).id(id).unique(Unique::key(&key)).await {
                        Ok(answer) => return answer.id,
                        Err(error) => assert!(error.is_temporary(), "{error}"),
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            })
        };
        let submitters: Vec<_> = (0..SUBMITTERS).map(submit).collect();
        barrier.wait().await;
        for _ in 0..3 {
            proxy.cut_after(fastrand::usize(1..3_000));
            tokio::time::sleep(Duration::from_millis(fastrand::u64(1..40))).await;
        }
        let mut told = Vec::new();
        for submitter in submitters {
            told.push(submitter.await.unwrap());
        }
        told.sort_unstable();
        told.dedup();
        assert_eq!(told.len(), 1, "everyone is told of the same job");
        let counts = retried(|| windlass.store().query().unwrap().counts()).await;
        assert_eq!(counts.total(Status::Queued), round + 1, "one job a round is stored");
    }
    windlass.shutdown_now().await;
}

/// Asks until there is an answer.
async fn retried<T, F: Future<Output = windlass::store::Result<T>>>(ask: impl Fn() -> F) -> T {
    loop {
        if let Ok(answer) = ask().await {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Something that may be down, and how often it was called.
#[derive(Clone, Default)]
struct Upstream {
    is_up: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
}

#[job(name = "Charge", retries = 20)]
async fn charge(Json(_number): Json<u32>, State(upstream): State<Upstream>) -> Result<()> {
    upstream.calls.fetch_add(1, Ordering::SeqCst);
    match upstream.is_up.load(Ordering::SeqCst) {
        true => Ok(()),
        false => Err(Error::transient("down")),
    }
}

/// In which engine jobs of which handler ran.
#[derive(Clone)]
struct Places {
    engine: usize,
    seen: Arc<Mutex<Vec<(usize, &'static str)>>>,
}

impl Places {
    fn note(&self, handler: &'static str) {
        self.seen.lock().unwrap().push((self.engine, handler));
    }
}

#[job(name = "Mail")]
async fn mail(Json(_number): Json<u32>, State(places): State<Places>) -> Result<()> {
    places.note("Mail");
    Ok(())
}

#[job(name = "Report")]
async fn report(Json(_number): Json<u32>, State(places): State<Places>) -> Result<()> {
    places.note("Report");
    Ok(())
}

/// Two engines that serve a handler each out of one queue, woken by hints alone, while both submit jobs of both: at first one by one,
/// then all at once.
pub(crate) async fn each_handler_has_its_engine(url: &str) {
    const JOBS: u32 = 600;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut engines = Vec::new();
    for (engine, handler) in ["Mail", "Report"].into_iter().enumerate() {
        let builder = Windlass::open(url).handler(mail).handler(report).handlers([handler]);
        let builder = builder.state(Places { engine, seen: seen.clone() });
        engines.push(builder.configure(|settings| settings.poll_interval = 1.hours()).start().await.unwrap());
    }
    let patience = Instant::now() + 90.seconds();
    let mut sent = 0;
    for number in 0..JOBS {
        let submitter = &engines[number as usize / 2 % 2];
        let submitted = match number % 2 {
            0 => mail.submit(submitter, number).await,
            _ => report.submit(submitter, number).await,
        };
        let _ = submitted.unwrap();
        sent += 1;
        while seen.lock().unwrap().len() < sent && (sent < 100 || sent == JOBS as usize) {
            assert!(Instant::now() < patience, "{} of {sent} have run", seen.lock().unwrap().len());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    assert_eq!(seen.len(), JOBS as usize);
    assert!(seen.iter().all(|place| [(0, "Mail"), (1, "Report")].contains(place)));
    for engine in engines {
        engine.shutdown().await;
    }
}

/// Two engines whose handler fails: one breaker holds for both, again and again, and closes for both.
pub(crate) async fn a_breaker_holds_for_both(url: &str) {
    const JOBS: u32 = 400;
    let (upstream, patience) = (Upstream::default(), Instant::now() + 60.seconds());
    let breaker = Breaker { min_attempts: 10, pause: 1.seconds(), ..Breaker::default() };
    let mut engines = Vec::new();
    for _ in 0..2 {
        let builder = Windlass::open(url).handler(charge).state(upstream.clone()).breaker("Charge", breaker);
        engines.push(builder.configure(|settings| settings.max_concurrency = 4).start().await.unwrap());
    }
    for number in 0..JOBS {
        let _ = charge.submit(&engines[number as usize % 2], number).await.unwrap();
    }
    let mut pauses = std::collections::HashSet::new();
    while pauses.len() < 4 {
        assert!(Instant::now() < patience, "it opened {} times", pauses.len());
        pauses.extend(engines.iter().flat_map(|engine| engine.health().open_breakers).filter_map(|open| open.until));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Until either has opened, and the probes of both.
    let in_vain = upstream.calls.load(Ordering::SeqCst);
    assert!(in_vain <= 2 * (10 + 4) + 4 * 2 * 3, "{in_vain}");
    upstream.is_up.store(true, Ordering::SeqCst);
    let is_open = |engine: &Windlass| !engine.health().open_breakers.is_empty();
    while upstream.calls.load(Ordering::SeqCst) < JOBS as usize + in_vain || engines.iter().any(is_open) {
        assert!(Instant::now() < patience, "{} calls", upstream.calls.load(Ordering::SeqCst));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    while !engines[0].gates().list(None).await.unwrap().is_empty() {
        assert!(Instant::now() < patience, "something is left at a gate");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for engine in engines {
        engine.shutdown().await;
    }
}
