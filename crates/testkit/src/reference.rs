//! The model behind the seam. It is no store for applications; it proves that suite and model agree, and stands in
//! where a test needs the simplest store there is.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::broadcast;
use windlass_core::gate::Edit;
use windlass_core::{Clock, Gate, Incarnation, Job, JobId, QueueName, ScheduleName, Status, Timestamp};
use windlass_store::schedules::{DueSchedules, Kept, Revision, Write};
use windlass_store::{
    Admin, Canceled, Counts, Exchange, Exchanged, Fate, Filter, Gates, Hint, Hints, Import, Imported, Lease, Page,
    Query, Replayed, Result, Ruled, Schedules, Scope, Store, Swept,
};

use crate::model::Model;

/// A store made of a [`Model`], a clock and a channel for hints.
pub struct Reference {
    model: Mutex<Model>,
    clock: Arc<dyn Clock>,
    hints: broadcast::Sender<Hint>,
}

impl Reference {
    /// An empty store that reads the time from `clock`.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self { model: Mutex::default(), clock, hints: broadcast::Sender::new(64) }
    }

    fn at_now(&self) -> (MutexGuard<'_, Model>, Timestamp) {
        (self.model.lock().expect("no scenario panics inside the model"), self.clock.now())
    }

    fn send(&self, hint: Hint) {
        // An error says that nobody listens, and then there is nobody to wake.
        let _ = self.hints.send(hint);
    }
}

/// Whether the turn left a job waiting that it stored, emitted or gave back.
fn leaves_work(model: &Model, turn: &Exchange, answers: &Exchanged) -> bool {
    let accepted = turn.settle.iter().zip(&answers.fates).filter(|(_, fate)| matches!(fate, Fate::Settled(_)));
    let touched =
        accepted.flat_map(|(settlement, _)| settlement.emitted.iter().map(|job| job.id).chain([settlement.lease.id]));
    let mut touched = touched.chain(turn.submit.iter().map(|job| job.id));
    touched.any(|id| model.get(id, &Scope::Everything).is_some_and(|job| job.status.is_waiting()))
}

#[async_trait]
impl Store for Reference {
    async fn exchange(&self, turn: Exchange) -> Result<Exchanged> {
        let (mut model, now) = self.at_now();
        let answers = model.exchange(now, &turn);
        model.take_asked().into_iter().for_each(|id| self.send(Hint::CancelRequested(id)));
        // With rules, whatever ends may let another one pass.
        let frees = model.has_rules() && answers.fates.iter().any(|fate| matches!(fate, Fate::Settled(_)));
        if frees || leaves_work(&model, &turn, &answers) {
            self.send(Hint::Ready);
        }
        Ok(answers)
    }

    async fn get(&self, id: JobId, scope: &Scope) -> Result<Option<Job>> {
        Ok(self.at_now().0.get(id, scope))
    }

    async fn cancel(&self, id: JobId, scope: &Scope) -> Result<Option<Canceled>> {
        let (mut model, now) = self.at_now();
        let canceled = model.cancel(now, id, scope);
        model.take_asked().into_iter().for_each(|id| self.send(Hint::CancelRequested(id)));
        Ok(canceled)
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        let (mut model, now) = self.at_now();
        let swept = model.sweep(now, limit);
        if swept.promoted + swept.reclaimed > 0 {
            self.send(Hint::Ready);
        }
        Ok(swept)
    }

    async fn held_by(&self, worker: Incarnation) -> Result<Vec<Lease>> {
        Ok(self.at_now().0.held_by(worker))
    }

    fn hints(&self) -> Hints {
        Hints::new(self.hints.subscribe())
    }

    async fn ping(&self) -> Result<()> {
        Ok(())
    }

    fn name(&self) -> &'static str {
        "reference"
    }

    fn query(&self) -> Option<&dyn Query> {
        Some(self)
    }

    fn admin(&self) -> Option<&dyn Admin> {
        Some(self)
    }

    fn importer(&self) -> Option<&dyn Import> {
        Some(self)
    }

    fn schedules(&self) -> Option<&dyn Schedules> {
        Some(self)
    }

    fn gates(&self) -> Option<&dyn Gates> {
        Some(self)
    }
}

#[async_trait]
impl Gates for Reference {
    async fn edit_gate(&self, gate: &Gate, edit: Edit) -> Result<()> {
        let (mut model, now) = self.at_now();
        model.edit_gate(now, gate, &edit);
        self.send(Hint::Ready);
        Ok(())
    }

    async fn list_gates(&self, after: Option<&Gate>, limit: usize) -> Result<Vec<Ruled>> {
        Ok(self.at_now().0.gates(after, limit))
    }
}

#[async_trait]
impl Schedules for Reference {
    async fn write_schedule(&self, write: Write) -> Result<Option<Revision>> {
        let (mut model, now) = self.at_now();
        let brings_jobs = !write.jobs.is_empty();
        let written = model.write_schedule(now, write);
        if written.is_some() {
            self.send(Hint::Schedules);
            if brings_jobs {
                self.send(Hint::Ready);
            }
        }
        Ok(written)
    }

    async fn find_schedule(&self, name: &ScheduleName) -> Result<Option<Kept>> {
        Ok(self.at_now().0.schedule(name))
    }

    async fn list_schedules(&self, after: Option<&ScheduleName>, limit: usize) -> Result<Vec<Kept>> {
        Ok(self.at_now().0.schedules(after, limit))
    }

    async fn due_schedules(&self, limit: usize) -> Result<DueSchedules> {
        let (model, now) = self.at_now();
        Ok(model.due_schedules(now, limit))
    }

    async fn remove_schedule(&self, name: &ScheduleName) -> Result<bool> {
        Ok(self.at_now().0.remove_schedule(name))
    }
}

#[async_trait]
impl Import for Reference {
    async fn import(&self, jobs: Vec<Job>) -> Result<Vec<Imported>> {
        let (mut model, now) = self.at_now();
        let imported: Vec<Imported> = jobs.iter().map(|job| model.import(now, job)).collect();
        if imported.contains(&Imported::Kept) {
            self.send(Hint::Ready);
        }
        Ok(imported)
    }
}

#[async_trait]
impl Query for Reference {
    async fn counts(&self) -> Result<Counts> {
        Ok(self.at_now().0.counts())
    }

    async fn oldest_waiting(&self, queues: &[QueueName]) -> Result<Vec<Option<Duration>>> {
        let (model, now) = self.at_now();
        Ok(queues.iter().map(|queue| model.oldest_waiting(now, queue)).collect())
    }

    async fn list(&self, filter: &Filter) -> Result<Page> {
        Ok(self.at_now().0.list(filter))
    }
}

#[async_trait]
impl Admin for Reference {
    async fn replay(&self, id: JobId, scope: &Scope) -> Result<Option<Replayed>> {
        let (mut model, now) = self.at_now();
        let replayed = model.replay(now, id, scope);
        if matches!(&replayed, Some(Replayed::Done(job)) if job.status == Status::Queued) {
            self.send(Hint::Ready);
        }
        Ok(replayed)
    }
}
