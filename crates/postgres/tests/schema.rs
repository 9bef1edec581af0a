//! The schema: what it is, that starting together makes it once, and that an older program leaves a newer one alone.
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use tokio_postgres::{Client, NoTls};
use windlass_postgres::Postgres;
use windlass_store::{ErrorKind, Store};
use windlass_testkit::servers::PostgresServer;

async fn connect(server: &PostgresServer) -> Client {
    let (client, connection) = tokio_postgres::connect(&server.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// One question each about columns, indexes and functions, with answers that do not depend on the server's version.
const QUESTIONS: [&str; 3] = [
    "SELECT format('column %s.%s %s%s', table_name, column_name, data_type,
         CASE is_nullable WHEN 'NO' THEN ' NOT NULL' ELSE '' END)
     FROM information_schema.columns WHERE table_schema = 'windlass' ORDER BY table_name, ordinal_position",
    "SELECT format('index %s', indexdef) FROM pg_indexes WHERE schemaname = 'windlass' ORDER BY indexname",
    "SELECT format('function %s(%s) %s', proname, pg_get_function_identity_arguments(p.oid), array_to_string(proconfig, ' '))
     FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace WHERE nspname = 'windlass' ORDER BY proname",
];

async fn describe(client: &Client) -> String {
    let mut text = String::new();
    for question in QUESTIONS {
        for row in client.query(question, &[]).await.unwrap() {
            writeln!(text, "{}", row.get::<_, String>(0).trim_end()).unwrap();
        }
    }
    text
}

/// Run with `WINDLASS_BLESS=1` to accept a change.
fn compare(found: &str) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/schema.txt");
    if std::env::var_os("WINDLASS_BLESS").is_some() {
        fs::write(&golden, found).unwrap();
    }
    let expected = fs::read_to_string(&golden).unwrap_or_default();
    assert_eq!(found, expected, "the schema has changed; WINDLASS_BLESS=1 accepts it");
}

#[tokio::test]
async fn processes_that_start_together_make_the_golden_schema_once() {
    let server = PostgresServer::start().unwrap();
    let opening = (0..8).map(|_| {
        tokio::spawn({
            let url = server.url();
            async move { Postgres::options().open(&url).await }
        })
    });
    for opened in opening.collect::<Vec<_>>() {
        opened.await.unwrap().unwrap().ping().await.unwrap();
    }
    compare(&describe(&connect(&server).await).await);
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_as_it_is() {
    let server = PostgresServer::start().unwrap();
    drop(Postgres::options().open(&server.url()).await.unwrap());
    let client = connect(&server).await;
    client.batch_execute("INSERT INTO windlass.migration (number) VALUES (99)").await.unwrap();
    let before = describe(&client).await;
    let refused = Postgres::options().open(&server.url()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Config);
    assert!(refused.to_string().contains("run a newer one"), "{refused}");
    assert_eq!(describe(&client).await, before);
}

/// An older program that started beside newer ones, as in a rolling deployment that is taken back, used to put its own
/// functions in place of theirs.
#[tokio::test]
async fn functions_of_a_newer_release_are_left_alone_and_older_ones_replaced() {
    let server = PostgresServer::start().unwrap();
    drop(Postgres::options().open(&server.url()).await.unwrap());
    let client = connect(&server).await;
    let other =
        "CREATE OR REPLACE FUNCTION windlass.clock(at bigint) RETURNS bigint LANGUAGE sql AS 'SELECT 7::bigint'";
    client.batch_execute(other).await.unwrap();
    for (release, expected) in [(99, true), (0, false)] {
        client.batch_execute(&format!("COMMENT ON TABLE windlass.migration IS 'functions {release}'")).await.unwrap();
        drop(Postgres::options().open(&server.url()).await.unwrap());
        let now: i64 = client.query_one("SELECT windlass.clock(NULL)", &[]).await.unwrap().get(0);
        assert_eq!(now == 7, expected, "release {release}");
    }
}

#[tokio::test]
async fn mistakes_at_the_start_say_what_they_are_and_show_no_password() {
    let no_address = Postgres::options().open("mysql://u:hunter2@h/d").await.unwrap_err();
    assert_eq!(no_address.kind(), ErrorKind::Config);
    let nobody = Postgres::options().open("postgres://u:hunter2@127.0.0.1:1/d").await.unwrap_err();
    assert_eq!(nobody.kind(), ErrorKind::Unavailable);
    let server = PostgresServer::start().unwrap();
    connect(&server).await.batch_execute("CREATE ROLE guest LOGIN PASSWORD 'hunter2'").await.unwrap();
    let url = server.url().replace("postgres@", "guest:hunter2@");
    let no_rights = Postgres::options().open(&url).await.unwrap_err();
    assert_eq!(no_rights.kind(), ErrorKind::Config);
    assert!(no_rights.to_string().contains("permission denied"), "{no_rights}");
    for error in [no_address, nobody, no_rights] {
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}
