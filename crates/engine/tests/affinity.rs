//! Processes that serve some handlers of a queue, over one store.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use windlass_core::{Incarnation, Job, JobId, JobName, NewJob, Payload, Timestamp};
use windlass_dispatch::{Context, FromContext, Handler, Json, Needs, Result, State};
use windlass_engine::{Engine, EngineBuilder, StartError};
use windlass_memory::Memory;
use windlass_store::{
    Admin, Canceled, Exchange, Exchanged, Hints, Import, Lease, Query, Schedules, Scope, SharedStore, Store, Swept,
};

const PATIENCE: Duration = Duration::from_secs(30);
/// Longer than any test: whoever is not woken comes too late.
const NEVER: Duration = Duration::from_secs(3_600);

/// Tells where and which job started.
#[derive(Clone)]
struct Starts {
    process: &'static str,
    to: mpsc::UnboundedSender<(&'static str, &'static str, usize)>,
}

macro_rules! handler {
    ($type:ident) => {
        struct $type;

        impl Handler for $type {
            type Input = Json<usize>;
            type Output = ();
            const NAME: &'static str = stringify!($type);

            fn needs(&self, needs: &mut Needs) {
                <State<Starts> as FromContext>::needs(needs);
            }

            async fn run(&self, Json(number): Json<usize>, cx: Context) -> Result<()> {
                let State(starts) = State::<Starts>::from_context(&cx)?;
                starts.to.send((starts.process, stringify!($type), number)).unwrap();
                Ok(())
            }
        }
    };
}

handler!(Mail);
handler!(Report);

/// A store in memory that counts turns.
struct Counting {
    inner: Memory,
    turns: AtomicUsize,
}

#[async_trait]
impl Store for Counting {
    async fn exchange(&self, turn: Exchange) -> windlass_store::Result<Exchanged> {
        self.turns.fetch_add(1, Ordering::Relaxed);
        self.inner.exchange(turn).await
    }

    async fn get(&self, id: JobId, scope: &Scope) -> windlass_store::Result<Option<Job>> {
        self.inner.get(id, scope).await
    }

    async fn cancel(&self, id: JobId, scope: &Scope) -> windlass_store::Result<Option<Canceled>> {
        self.inner.cancel(id, scope).await
    }

    async fn sweep(&self, limit: usize) -> windlass_store::Result<Swept> {
        self.inner.sweep(limit).await
    }

    async fn held_by(&self, worker: Incarnation) -> windlass_store::Result<Vec<Lease>> {
        self.inner.held_by(worker).await
    }

    fn hints(&self) -> Hints {
        self.inner.hints()
    }

    async fn ping(&self) -> windlass_store::Result<()> {
        self.inner.ping().await
    }

    fn name(&self) -> &'static str {
        "counting"
    }

    fn query(&self) -> Option<&dyn Query> {
        self.inner.query()
    }

    fn admin(&self) -> Option<&dyn Admin> {
        self.inner.admin()
    }

    fn importer(&self) -> Option<&dyn Import> {
        self.inner.importer()
    }

    fn schedules(&self) -> Option<&dyn Schedules> {
        self.inner.schedules()
    }
}

struct World {
    store: Arc<Counting>,
    to: mpsc::UnboundedSender<(&'static str, &'static str, usize)>,
    starts: mpsc::UnboundedReceiver<(&'static str, &'static str, usize)>,
}

impl World {
    fn new() -> Self {
        let (to, starts) = mpsc::unbounded_channel();
        Self { store: Arc::new(Counting { inner: Memory::new(), turns: AtomicUsize::new(0) }), to, starts }
    }

    fn builder(&self, process: &'static str) -> EngineBuilder {
        let store: SharedStore = self.store.clone();
        let starts = Starts { process, to: self.to.clone() };
        Engine::builder(store).handler(Mail).handler(Report).state(starts).configure(|settings| {
            settings.poll_interval = NEVER;
            settings.max_concurrency = 2;
        })
    }

    async fn next(&mut self) -> (&'static str, &'static str, usize) {
        tokio::time::timeout(PATIENCE, self.starts.recv()).await.expect("a job starts").unwrap()
    }

    fn turns(&self) -> usize {
        self.store.turns.load(Ordering::Relaxed)
    }
}

fn job(handler: &str, number: usize) -> NewJob {
    NewJob::build(handler, Payload::json(&number).unwrap()).finish(Timestamp::UNIX_EPOCH).unwrap()
}

#[tokio::test]
async fn each_process_runs_its_handlers_jobs_whoever_submits_them() {
    let mut world = World::new();
    let mails = world.builder("mails").handlers(["Mail"]).start().await.unwrap();
    let reports = world.builder("reports").handlers(["Report"]).start().await.unwrap();
    for number in 0..100 {
        let (submitter, handler) = if number % 4 < 2 { (&mails, "Report") } else { (&reports, "Mail") };
        let _ = submitter.submit(job(handler, number)).await.unwrap();
        // Nobody else comes by, so that each has to be heard of.
        let wanted = if handler == "Mail" { "mails" } else { "reports" };
        assert_eq!(world.next().await, (wanted, handler, number));
    }
    mails.shutdown().await;
    reports.shutdown().await;
}

#[tokio::test]
async fn a_backlog_is_worked_off_side_by_side() {
    let mut world = World::new();
    let all = world.builder("all").start().await.unwrap();
    all.shutdown().await;
    let jobs: Vec<NewJob> =
        (0..300).map(|number| job(if number % 3 == 0 { "Mail" } else { "Report" }, number)).collect();
    let _ = windlass_store::Verbs::submit(&*world.store, jobs).await.unwrap();
    let mails = world.builder("mails").handlers(["Mail"]).start().await.unwrap();
    let reports = world.builder("reports").handlers(["Report"]).start().await.unwrap();
    let mut last = [None, None];
    for _ in 0..300 {
        let (process, handler, number) = world.next().await;
        assert_eq!(process, if handler == "Mail" { "mails" } else { "reports" });
        let last = &mut last[usize::from(handler == "Mail")];
        // Two run at a time.
        assert!(last.is_none_or(|last| last < number + 6), "{handler} {number} after {last:?}");
        *last = Some(number.max(last.unwrap_or(0)));
    }
    mails.shutdown().await;
    reports.shutdown().await;
}

#[tokio::test]
async fn a_process_for_which_nothing_is_rests() {
    let mut world = World::new();
    let mails = world.builder("mails").handlers(["Mail"]).start().await.unwrap();
    for number in 0..50 {
        let _ = mails.submit(job("Report", number)).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let before = world.turns();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(world.turns(), before, "it does not ask again and again");
    let all = world.builder("all").start().await.unwrap();
    for number in 0..50 {
        assert_eq!(world.next().await.0, "all", "{number}");
    }
    mails.shutdown().await;
    all.shutdown().await;
}

#[tokio::test]
async fn a_handler_that_a_process_does_not_have_is_named() {
    let world = World::new();
    let Err(error) = world.builder("mails").handlers(["Mial"]).start().await else { panic!("it starts") };
    assert!(matches!(error, StartError::UnknownHandler { .. }));
    let text = error.to_string();
    for part in ["\"Mial\"", "`handlers`", ".handler(", "Mail, Report"] {
        assert!(text.contains(part), "{text}");
    }
    let Err(error) = world.builder("mails").handlers(Vec::<String>::new()).start().await else { panic!("it starts") };
    assert!(error.to_string().contains("must name a handler"), "{error}");
    let names = Some(vec![JobName::new("Elsewhere").unwrap()]);
    let serves_only = world.builder("web").configure(|settings| (settings.work, settings.handlers) = (false, names));
    serves_only.start().await.unwrap().shutdown().await;
}
