//! Jobs submitted from SQL, and the roles that the manual describes.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};
use windlass_core::gate::Edit;
use windlass_core::{
    Backlog, Gate, Incarnation, JobId, JobName, Limits, Owner, Payload, Priority, QueueName, Rate, RetryPolicy, Status,
};
use windlass_postgres::Postgres;
use windlass_store::{Claim, ClaimedJob, ErrorKind, Fate, Hint, Lease, Outcome, Scope, Settlement, Store, Verbs};
use windlass_testkit::servers::PostgresServer;

struct Database {
    store: Postgres,
    client: Client,
    server: PostgresServer,
}

impl Database {
    async fn open() -> Self {
        let server = PostgresServer::start().unwrap();
        let store = Postgres::options().open(&server.url()).await.unwrap();
        Self { client: connect(&server, "postgres").await, store, server }
    }

    /// Calls the function with these arguments.
    async fn enqueue(&self, arguments: &str) -> Result<JobId, tokio_postgres::Error> {
        let row = self.client.query_one(&format!("SELECT windlass.enqueue({arguments})"), &[]).await?;
        Ok(JobId::from_bytes(*row.get::<_, uuid::Uuid>(0).as_bytes()))
    }

    async fn refusal(&self, arguments: &str) -> SqlState {
        self.enqueue(arguments).await.unwrap_err().code().unwrap().clone()
    }
}

async fn connect(server: &PostgresServer, user: &str) -> Client {
    let mut config: tokio_postgres::Config = server.url().parse().unwrap();
    let (client, connection) = config.user(user).connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn claim(store: &Postgres) -> Vec<ClaimedJob> {
    let (queues, lease) = (vec![QueueName::default()], Duration::from_secs(30));
    let claim = Claim { queues, limit: 10, lease, worker: Incarnation::random(), suspects: 0, handlers: None };
    store.claim(claim).await.unwrap().jobs
}

#[tokio::test]
async fn a_trigger_submits_jobs_with_the_rows_that_need_them() {
    let database = Database::open().await;
    let trigger = "CREATE TABLE sale (number integer);
        CREATE FUNCTION ship() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            PERFORM windlass.enqueue('Ship', jsonb_build_object('number', NEW.number));
            RETURN NEW;
        END $$;
        CREATE TRIGGER ship AFTER INSERT ON sale FOR EACH ROW EXECUTE FUNCTION ship()";
    database.client.batch_execute(trigger).await.unwrap();
    let mut hints = database.store.hints();
    database.client.batch_execute("BEGIN; INSERT INTO sale VALUES (1); ROLLBACK").await.unwrap();
    database.client.batch_execute("INSERT INTO sale VALUES (2), (3)").await.unwrap();
    assert_eq!(hints.next().await, Hint::Ready);
    let jobs = claim(&database.store).await;
    let payloads: Vec<_> = jobs.iter().map(|job| job.new.payload.bytes.as_ref()).collect();
    assert_eq!(payloads, [br#"{"number": 2}"#, br#"{"number": 3}"#]);
    assert!(jobs.iter().all(|job| job.new.name.as_str() == "Ship" && job.new.payload.is_json()));
}

#[tokio::test]
async fn a_job_from_sql_is_what_its_arguments_say() {
    let database = Database::open().await;
    let arguments = "'Ship', queue => 'slow', priority => 2, owner => 'ann', run_at => now() + interval '1 hour'";
    let id = database.enqueue(arguments).await.unwrap();
    let job = database.store.get(id, &Scope::Everything).await.unwrap().unwrap();
    assert_eq!(job.status, Status::Scheduled);
    assert_eq!(job.new.queue, QueueName::new("slow").unwrap());
    assert_eq!(job.new.priority, Priority::new(2).unwrap());
    assert_eq!(job.new.owner, Some(Owner::new("ann").unwrap()));
    assert_eq!(job.new.retry, RetryPolicy::default());
    assert_eq!(job.new.payload.parse_json::<()>().ok(), Some(()));
    assert_eq!(id.as_uuid().get_version_num(), 7);
    let past = database.enqueue("'Ship', run_at => '-infinity'").await.unwrap();
    assert_eq!(database.store.get(past, &Scope::Everything).await.unwrap().unwrap().status, Status::Queued);
}

#[tokio::test]
async fn an_id_means_one_job() {
    let database = Database::open().await;
    let id = "id => '0195a4b0-0000-7000-8000-000000000001'";
    let first = database.enqueue(&format!("'Ship', '1', {id}")).await.unwrap();
    assert_eq!(database.enqueue(&format!("'Ship', '1', {id}")).await.unwrap(), first);
    for other in ["'Ship', '2'", "'Bill', '1'", "'Ship', '1', owner => 'ann'"] {
        assert_eq!(database.refusal(&format!("{other}, {id}")).await, SqlState::UNIQUE_VIOLATION);
    }
    assert_eq!(claim(&database.store).await.len(), 1);
}

#[tokio::test]
async fn what_the_library_would_refuse_is_refused() {
    let database = Database::open().await;
    let names = ["", " ", "a b", "a/b", "ä", "a\n", "A.z_9:-", &"a".repeat(128), &"a".repeat(129)];
    for name in names {
        let accepted = database.client.query_one("SELECT windlass.enqueue($1)", &[&name]).await.is_ok();
        assert_eq!(accepted, JobName::new(name).is_ok(), "{name:?}");
    }
    for arguments in [
        "NULL",
        "'Ship', NULL",
        "'Ship', queue => ''",
        "'Ship', queue => NULL",
        "'Ship', owner => 'a b'",
        "'Ship', priority => 10",
        "'Ship', priority => -1",
        "'Ship', priority => NULL",
        "'Ship', run_at => 'infinity'",
        "'Ship', to_jsonb(repeat('a', 1048576))",
    ] {
        assert_eq!(database.refusal(arguments).await, SqlState::INVALID_PARAMETER_VALUE, "{arguments}");
    }
}

/// The manual's roles, and a login for each.
async fn make_roles(database: &Database) {
    let manual = include_str!("../../../docs/postgres.md");
    let roles = manual.split("```sql\n").find(|block| block.starts_with("CREATE ROLE")).unwrap();
    let roles = roles.split("```").next().unwrap();
    database.client.batch_execute(roles).await.unwrap();
    let logins = "CREATE ROLE app LOGIN IN ROLE windlass_app; CREATE ROLE shop LOGIN IN ROLE windlass_submitter";
    database.client.batch_execute(logins).await.unwrap();
}

#[tokio::test]
async fn who_may_submit_from_sql_may_do_nothing_else() {
    let database = Database::open().await;
    make_roles(&database).await;
    let shop = connect(&database.server, "shop").await;
    shop.batch_execute("SELECT windlass.enqueue('Ship')").await.unwrap();
    for sql in [
        "SELECT count(*) FROM windlass.job",
        "SELECT count(*) FROM windlass.jobs",
        "DELETE FROM windlass.ready",
        "SELECT windlass.claim(NULL, ARRAY['default'], 1, 0, 1, gen_random_uuid(), NULL)",
        "SELECT windlass.cancel(NULL, gen_random_uuid(), NULL, 'x')",
    ] {
        let refused = shop.batch_execute(sql).await.unwrap_err();
        assert_eq!(refused.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{sql}");
    }
    database.client.batch_execute("CREATE ROLE stranger LOGIN").await.unwrap();
    let stranger = connect(&database.server, "stranger").await;
    assert!(stranger.batch_execute("SELECT windlass.enqueue('Ship')").await.is_err());
}

#[tokio::test]
async fn programs_run_jobs_without_owning_the_schema() {
    let database = Database::open().await;
    make_roles(&database).await;
    let url = database.server.url().replace("postgres@", "app@").replace("user=postgres", "user=app");
    let store = Postgres::options().open(&url).await.unwrap();
    database.enqueue("'Ship'").await.unwrap();
    let job = claim(&store).await.remove(0);
    let done = |lease: Lease| Settlement { lease, outcome: Outcome::Complete(Payload::empty()), emitted: Vec::new() };
    let fates = store.settle(vec![done(job.lease)]).await.unwrap();
    assert_eq!(fates, [Fate::Settled(Status::Completed)]);
    store.sweep(100).await.unwrap();
    assert_eq!(store.get(job.lease.id, &Scope::Everything).await.unwrap().unwrap().status, Status::Completed);

    // As an older schema looks to a program that may not change it.
    database.client.batch_execute("COMMENT ON TABLE windlass.migration IS NULL").await.unwrap();
    let refused = Postgres::options().open(&url).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Config);
    assert!(refused.to_string().contains("once as the schema's owner"), "{refused}");
}

/// What is refused in code is an error here: nobody looks at the outcomes of a statement.
#[tokio::test]
async fn rules_for_submissions_hold_from_sql_too() {
    let database = Database::open().await;
    let gates = database.store.gates().unwrap();
    let rate = Rate::new(1, Duration::from_secs(3_600)).unwrap();
    gates.edit_gate(&Gate::Owners, Edit::Limit(Limits::rate(rate))).await.unwrap();
    database.enqueue("'Job', owner => 'ann'").await.unwrap();
    assert_eq!(database.refusal("'Job', owner => 'ann'").await, SqlState::CONFIGURATION_LIMIT_EXCEEDED);
    database.enqueue("'Job', owner => 'bob'").await.unwrap();
    let queue = Gate::queue("default").unwrap();
    gates.edit_gate(&queue, Edit::Backlog(Backlog::most(2))).await.unwrap();
    assert_eq!(database.refusal("'Job'").await, SqlState::CONFIGURATION_LIMIT_EXCEEDED);
    gates.edit_gate(&queue, Edit::Backlog(Backlog::most(2).drop_oldest())).await.unwrap();
    let last = database.enqueue("'Job'").await.unwrap();
    let waiting: Vec<JobId> = claim(&database.store).await.iter().map(|job| job.lease.id).collect();
    assert_eq!((waiting.len(), waiting[1]), (2, last));
}

#[tokio::test]
async fn backlogs_of_owners_hold_from_sql_too() {
    let database = Database::open().await;
    let gates = database.store.gates().unwrap();
    gates.edit_gate(&Gate::Owners, Edit::Backlog(Backlog::most(1))).await.unwrap();
    let first = database.enqueue("'Job', owner => 'ann'").await.unwrap();
    assert_eq!(database.refusal("'Job', owner => 'ann'").await, SqlState::CONFIGURATION_LIMIT_EXCEEDED);
    let said = database.enqueue("'Job', owner => 'ann'").await.unwrap_err();
    assert!(said.as_db_error().unwrap().message().contains("owner ann has as many jobs waiting as it may"), "{said:?}");
    database.enqueue(&format!("'Job', owner => 'ann', id => '{first}'")).await.unwrap();
    database.enqueue("'Job', owner => 'bob'").await.unwrap();
    gates.edit_gate(&Gate::owner("ann").unwrap(), Edit::Backlog(Backlog::most(1).drop_oldest())).await.unwrap();
    let second = database.enqueue("'Job', owner => 'ann', queue => 'other'").await.unwrap();
    for (id, status) in [(first, Status::Canceled), (second, Status::Queued)] {
        assert_eq!(database.store.get(id, &Scope::Everything).await.unwrap().unwrap().status, status);
    }
}
