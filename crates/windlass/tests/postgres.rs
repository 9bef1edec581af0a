//! The engine on a real PostgreSQL server that is killed under load, and two processes' worth of engines on one database.
#![cfg(all(unix, feature = "postgres"))]
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use windlass::core::{Job, JobId, Status};
use windlass::prelude::*;
use windlass::store::{Lease, Scope, SubmitOutcome, Token};
use windlass_postgres::Postgres;
use windlass_testkit::servers::{PostgresServer, Proxy};

/// Which execution of which job ran where, in the order of their starts.
#[derive(Clone, Default)]
struct Runs(Arc<Mutex<Vec<(JobId, u64)>>>);

#[job(name = "Note", retries = 20)]
async fn note(Json(_number): Json<u32>, State(runs): State<Runs>, ctx: Context) -> Result<()> {
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

/// The connections used to be driven by the threads that the handlers block: no lease was extended, and every job ran a
/// second time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_blocked_threads_lose_no_lease() {
    let (server, runs) = (PostgresServer::start().unwrap(), Runs::default());
    let settings = |settings: &mut Settings| (settings.lease, settings.max_concurrency) = (2.seconds(), 2);
    let windlass = Windlass::open(server.url()).handler(block).state(runs.clone()).configure(settings);
    let windlass = windlass.start().await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..2 {
        ids.push(block.submit(&windlass, ()).await.unwrap().id);
    }
    for id in ids {
        let job = finished(&windlass, id).await;
        assert_eq!((job.status, job.crashes, job.attempts.len()), (Status::Completed, 0, 1));
    }
    assert_eq!(runs.0.lock().unwrap().len(), 2, "each ran once");
    windlass.shutdown().await;
}

fn hasty(settings: &mut Settings) {
    settings.lease = 3.seconds();
    settings.sweep_interval = 1.seconds();
    settings.poll_interval = 1.seconds();
    settings.max_queue_size = 1_000_000;
}

async fn start(url: &str, runs: &Runs) -> Windlass {
    Windlass::open(url).handler(note).state(runs.clone()).configure(hasty).start().await.unwrap()
}

/// Submits until it is told to stop and keeps what was acknowledged. An id whose answer got lost is asked again, as a
/// client with an idempotency key would.
async fn submit(windlass: Windlass, until: Instant) -> Vec<JobId> {
    let mut acknowledged = Vec::new();
    while Instant::now() < until {
        let id = JobId::generate(windlass::core::Timestamp::UNIX_EPOCH);
        for _ in 0..200 {
            match note.submit(&windlass, 7).id(id).await {
                Ok(answer) => {
                    assert!(matches!(answer.outcome, SubmitOutcome::Created(_) | SubmitOutcome::Existing));
                    acknowledged.push(id);
                    break;
                }
                Err(_away) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
    acknowledged
}

async fn finished(windlass: &Windlass, id: JobId) -> Job {
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        match windlass.get(id, &Scope::Everything).await {
            Ok(Some(job)) if job.status.is_finished() => return job,
            Ok(None) => panic!("acknowledged and lost: {id}"),
            _ if Instant::now() > patience => panic!("{id} does not finish"),
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// T12: the server dies with everything in its memory and comes back. Nothing acknowledged is lost, nothing is settled
/// twice, and both engines work again within five seconds.
#[tokio::test(flavor = "multi_thread")]
async fn fault_killing_the_server_loses_nothing_and_both_engines_come_back() {
    let mut server = PostgresServer::start().unwrap();
    let runs = [Runs::default(), Runs::default()];
    let engines = [start(&server.url(), &runs[0]).await, start(&server.url(), &runs[1]).await];
    const KILLS: u32 = 20;
    const APART: Duration = Duration::from_millis(500);
    let until = Instant::now() + APART * (KILLS + 1);
    let submitters: Vec<_> = (0..8).map(|which| tokio::spawn(submit(engines[which % 2].clone(), until))).collect();
    for _ in 0..KILLS {
        tokio::time::sleep(APART).await;
        server.kill().unwrap();
        server.restart().unwrap();
    }
    let back = Instant::now();
    let ran = |which: usize| runs[which].0.lock().unwrap().len();
    let before = [ran(0), ran(1)];
    let works_again = async {
        while ran(0) == before[0] || ran(1) == before[1] {
            assert!(back.elapsed() < Duration::from_secs(5), "an engine has not come back");
            for engine in &engines {
                let _away_for_now = note.submit(engine, 1).await;
            }
        }
    };
    works_again.await;
    let told = account(submitters, &engines[0], &runs).await;
    println!("{KILLS} kills, {told}");
    for engine in engines {
        engine.shutdown_now().await;
    }
}

/// What became of every acknowledged job: completed, and no token was issued twice.
async fn account(submitters: Vec<JoinHandle<Vec<JobId>>>, windlass: &Windlass, runs: &[Runs]) -> String {
    let mut acknowledged = Vec::new();
    for submitter in submitters {
        acknowledged.extend(submitter.await.unwrap());
    }
    let mut jobs = Vec::new();
    for id in &acknowledged {
        jobs.push(finished(windlass, *id).await);
    }
    assert!(jobs.iter().all(|job| job.status == Status::Completed), "every acknowledged job is done");
    assert!(acknowledged.len() > 200, "the load was one: {}", acknowledged.len());
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
    format!("{} acknowledged, 0 lost, {} executions beyond one", acknowledged.len(), issued - executions.len())
}

/// T11, T13: answers are cut off amid a byte stream, and twice the network swallows everything for longer than an answer
/// may take. What was asked may have been done or not; asking again settles it.
#[tokio::test(flavor = "multi_thread")]
async fn fault_a_network_that_cuts_and_swallows_loses_nothing() {
    let server = PostgresServer::start_encrypted().unwrap();
    let there = server.tcp_url("localhost").unwrap();
    let port = there.rsplit_once(':').and_then(|(_, rest)| rest.split_once('/')).unwrap().0.parse().unwrap();
    let proxy = Proxy::start(([127, 0, 0, 1], port).into()).unwrap();
    let here = there.replace(&format!(":{port}"), &format!(":{}", proxy.address().port()));
    let runs = [Runs::default()];
    let second = Duration::from_secs(1);
    let options = Postgres::options().root_certificates(server.certificate()).patience(second).answer_timeout(second);
    let store = Arc::new(options.open(&format!("{here}?sslmode=require")).await.unwrap());
    let windlass =
        Windlass::with_store(store).handler(note).state(runs[0].clone()).configure(hasty).start().await.unwrap();
    const CUTS: u32 = 20;
    const APART: Duration = Duration::from_millis(200);
    let until = Instant::now() + APART * CUTS + Duration::from_secs(10);
    let submitters: Vec<_> = (0..8).map(|_| tokio::spawn(submit(windlass.clone(), until))).collect();
    for _ in 0..CUTS {
        proxy.cut_after(fastrand::usize(1..20_000));
        tokio::time::sleep(APART).await;
    }
    for _ in 0..2 {
        proxy.block();
        tokio::time::sleep(Duration::from_secs(2)).await;
        let asked = Instant::now();
        assert!(note.submit(&windlass, 1).await.is_err(), "the store is away");
        let heard = asked.elapsed();
        assert!(heard < Duration::from_millis(100), "a caller waited {heard:?} for a store known to be away");
        tokio::time::sleep(Duration::from_secs(1)).await;
        proxy.unblock();
        let (back, before) = (Instant::now(), runs[0].0.lock().unwrap().len());
        while runs[0].0.lock().unwrap().len() == before {
            assert!(back.elapsed() < Duration::from_secs(5), "the engine has not come back");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        println!("back {:?} after the network", back.elapsed());
    }
    println!("{CUTS} cuts and 2 silences, {}", account(submitters, &windlass, &runs).await);
    windlass.shutdown_now().await;
}
