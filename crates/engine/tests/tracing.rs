//! The spans of a job's submission and of its runs share the stored trace.
#![allow(clippy::unwrap_used, missing_docs)]

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracing_subscriber::fmt::format::FmtSpan;
use windlass_dispatch::{Context, Handler, NoInput, Result};
use windlass_engine::{Engine, Submit};
use windlass_memory::Memory;
use windlass_store::Scope;

struct Quiet;

impl Handler for Quiet {
    type Input = NoInput;
    type Output = ();
    const NAME: &'static str = "Quiet";

    async fn run(&self, _input: NoInput, _cx: Context) -> Result<()> {
        Ok(())
    }
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn submission_and_run_carry_the_same_traceparent() {
    let lines = Lines::default();
    let sink = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_span_events(FmtSpan::CLOSE);
    tracing::subscriber::set_global_default(subscriber.with_writer(move || sink.clone()).finish()).unwrap();

    let engine = Engine::builder(Arc::new(Memory::new())).handler(Quiet).start().await.unwrap();
    let id = Quiet.submit(&engine, ()).await.unwrap().id;
    let job = engine.wait(id, &Scope::Everything, Duration::from_secs(10)).await.unwrap().unwrap();
    let trace = job.new.traceparent.clone().unwrap();

    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    for span in ["job.submit{", "job.run{"] {
        let line = text.lines().find(|line| line.contains(span)).unwrap_or_else(|| panic!("no {span} in {text}"));
        assert!(line.contains(&trace) && line.contains(&id.to_string()), "{line}");
    }
}
