//! chasquimq 1.3.0, which needs Redis 8.6. One by one: `add`. Many callers: `add` from 64 tasks. Bulk: `add_bulk` of 1000. The
//! worker has its defaults, but for results, which are stored, as Windlass does; completion deletes the job.

use std::sync::Arc;

use chasquimq::{Bytes, Consumer, ConsumerConfig, Job, Producer, ProducerConfig};
use redis::aio::MultiplexedConnection;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use windlass_testkit::servers::RedisServer;

use crate::intake::Intake;
use crate::mail::Mail;
use crate::measurement::Measurement;
use crate::task::Task;
use crate::trial::{self, Marks, Queue};
use crate::{EVERYSEC, Fault};

const QUEUE: &str = "mail";

pub(crate) async fn measure(task: &Task) -> Result<Measurement, Fault> {
    let server = RedisServer::start_with(&EVERYSEC)?;
    let marks = Marks::of(task.jobs);
    let config = ProducerConfig { queue_name: QUEUE.to_owned(), ..Default::default() };
    let mut chasqui = ChasquiMq {
        producer: Arc::new(Producer::connect(&server.url(), config).await?),
        connection: redis::Client::open(server.url())?.get_multiplexed_async_connection().await?,
        url: server.url(),
        stop: CancellationToken::new(),
        marks: marks.clone(),
    };
    let found = trial::run(&mut chasqui, task, &marks, &server.url()).await?;
    Ok(Measurement {
        settings: "append-only file written every second; default, results stored".to_owned(),
        versions: "chasquimq 1.3.0".to_owned(),
        ..found
    })
}

struct ChasquiMq {
    producer: Arc<Producer<Mail>>,
    connection: MultiplexedConnection,
    url: String,
    stop: CancellationToken,
    marks: Arc<Marks>,
}

impl ChasquiMq {
    async fn waiting(&mut self) -> Result<u64, Fault> {
        Ok(redis::cmd("XLEN").arg(self.producer.stream_key()).query_async(&mut self.connection).await?)
    }
}

impl Queue for ChasquiMq {
    type Intake = Arc<Producer<Mail>>;
    type Worker = JoinHandle<chasquimq::Result<()>>;

    fn intake(&self) -> Self::Intake {
        self.producer.clone()
    }

    async fn work(&mut self) -> Result<Self::Worker, Fault> {
        let config = ConsumerConfig { queue_name: QUEUE.to_owned(), store_results: true, ..Default::default() };
        let (consumer, marks) = (Consumer::new(&self.url, config), self.marks.clone());
        let handler = move |job: Job<Mail>| {
            marks.mark(job.payload.id);
            async { Ok(Bytes::from_static(b"ok")) }
        };
        Ok(tokio::spawn(consumer.run(handler, self.stop.clone())))
    }

    async fn is_done(&mut self, _jobs: u64) -> Result<bool, Fault> {
        Ok(self.waiting().await? == 0)
    }

    async fn completed(&mut self, jobs: u64) -> Result<u64, Fault> {
        Ok(jobs - self.waiting().await?)
    }

    async fn stop(&mut self, worker: Self::Worker) -> Result<(), Fault> {
        self.stop.cancel();
        Ok(worker.await??)
    }
}

impl Intake for Arc<Producer<Mail>> {
    async fn add(&mut self, mail: Mail) -> Result<(), Fault> {
        Producer::add(self, mail).await?;
        Ok(())
    }

    async fn add_all(&mut self, mails: Vec<Mail>) -> Result<(), Fault> {
        self.add_bulk(mails).await?;
        Ok(())
    }
}
