//! How many requests a second does an asynchronous endpoint answer with 202, while a worker in the same process runs the
//! jobs? 64 connections that are kept open, the clients in a process of their own on the same cores. Every 202 must be
//! a job that completes.
//!
//! Floor: an axum handler on the same runtime that reads the same JSON, keeps nothing and answers 202.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::routing::post;
use axum::serve::ListenerExt;
use axum::{Json, Router};
use serde::Serialize;
use tokio::net::TcpListener;
use windlass_http::{Api, Server};

use crate::Fault;
use crate::load::{Answers, Order, PATH};
use crate::machine;
use crate::mail::Mail;
use crate::measurement::Measurement;
use crate::rig::{Rig, versions};
use crate::task::Task;
use crate::watched::Watched;

const CONNECTIONS: u64 = 64;

pub(crate) async fn windlass(task: &Task) -> Result<Measurement, Fault> {
    let rig = Rig::new(task).await?;
    let watched = Arc::new(Watched::new(rig.store.clone(), task.jobs));
    let engine = rig.start(watched.clone()).await?;
    let api = Api::new(&engine).endpoint(windlass_http::post(PATH, rig.handler.clone()));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = Server::new(&engine, api.into_router()?);
    let server = tokio::spawn(server.run(listener, std::future::pending(), std::future::pending()));
    let answers = send(address, task.jobs).await?;
    watched.all_completed().await;
    engine.shutdown().await;
    server.await?;
    Ok(report(rig.verify().await?, &answers))
}

pub(crate) async fn floor(task: &Task) -> Result<Measurement, Fault> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let listener = listener.tap_io(|stream| {
        let _best_effort = stream.set_nodelay(true);
    });
    let server = tokio::spawn(axum::serve(listener, Router::new().route(PATH, post(accept))).into_future());
    let answers = send(address, task.jobs).await?;
    server.abort();
    let found = Measurement {
        settings: "axum handler that parses and answers 202".to_owned(),
        versions: versions(),
        rss_mib: machine::peak_rss_mib(),
        ..Measurement::default()
    };
    Ok(report(found, &answers))
}

#[derive(Serialize)]
struct Accepted {
    id: String,
    to: String,
}

async fn accept(Json(mail): Json<Mail>) -> (StatusCode, Json<Accepted>) {
    (StatusCode::ACCEPTED, Json(Accepted { id: format!("{:032x}", mail.id), to: mail.to }))
}

/// The answers that the clients get at `address`.
async fn send(address: SocketAddr, jobs: u64) -> Result<Answers, Fault> {
    let order = Order { address, jobs, connections: CONNECTIONS };
    let mut clients = Command::new(std::env::current_exe()?);
    clients.arg("load").args(order.to_args());
    let output = tokio::task::spawn_blocking(move || clients.output()).await??;
    if !output.status.success() {
        return Err(format!("the clients failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn report(found: Measurement, answers: &Answers) -> Measurement {
    Measurement {
        jobs_per_s: Some(answers.accepted as f64 / answers.seconds),
        p50_ms: answers.p50_ms,
        p99_ms: answers.p99_ms,
        lost: found.lost + answers.refused,
        settings: format!("{}; {CONNECTIONS} connections, {} answers other than 202", found.settings, answers.refused),
        ..found
    }
}
