//! What operators and programs do with rules: pause, resume, limit, share, bound, hold, look.

use std::time::Duration;

use windlass_core::gate::Edit;
use windlass_core::limits::{DELAY_MAX, PAGE_MAX};
use windlass_core::{Backlog, Gate, InvalidInput, Limits, Share};
use windlass_store::Ruled;

use crate::breakers::keep_mark;
use crate::engine::Engine;
use crate::error::Error;
use crate::shared::Shared;

/// The rules of the store, which hold for all its processes together: [`Engine::gates`].
///
/// Gates are named by [`Gate`] or by its text: `*`, `queue:mail`, `handler:Send`, `key:tenant:acme`, `keys:tenant`, and for what is
/// submitted `owner:acme`, `owners`.
#[derive(Clone)]
pub struct Gates {
    pub(crate) engine: Engine,
}

impl Engine {
    /// The rules of this engine's store.
    pub fn gates(&self) -> Gates {
        Gates { engine: self.clone() }
    }
}

pub(crate) fn parse(gate: &impl ToString) -> Result<Gate, InvalidInput> {
    gate.to_string().parse::<Gate>()?.with_rules()
}

/// The gate, if what is to be changed there has a meaning.
pub(crate) fn check(gate: &impl ToString, edit: &Edit) -> Result<Gate, InvalidInput> {
    let gate = parse(gate)?;
    edit.check(&gate)?;
    Ok(gate)
}

impl Gates {
    /// No attempt starts at this gate from now on, in any process; what runs is left alone, and what is submitted waits. `note`
    /// says why, to whoever looks.
    ///
    /// # Errors
    ///
    /// `Invalid` when the text is no gate, `Unsupported` when the store keeps no rules.
    pub async fn pause(&self, gate: impl ToString, note: &str) -> Result<(), Error> {
        self.edit(gate, Edit::Pause(note.to_owned())).await
    }

    /// Attempts start again. Errors as for [`pause`](Self::pause).
    pub async fn resume(&self, gate: impl ToString) -> Result<(), Error> {
        self.edit(gate, Edit::Resume).await
    }

    /// Sets how many may pass, in place of what was set there before; [`Limits::default`] lets all pass. Jobs that run already
    /// count. At `owner:acme` or `owners` a rate says how many jobs an owner may submit: those over it are refused with
    /// [`Error::OverRate`]. Errors as for [`pause`](Self::pause), and with `Invalid` at owners for anything but a rate; a Redis store
    /// that is spread keeps no limits and answers with `Store`.
    pub async fn limit(&self, gate: impl ToString, limits: Limits) -> Result<(), Error> {
        self.edit(gate, Edit::Limit(limits)).await
    }

    /// Sets by which kind of key the jobs of a queue take turns ([`Share::by`], at `queue:mail`), or how many turns a key gets where
    /// others get one ([`Share::weight`], at `key:tenant:acme` or `keys:tenant`), in place of what was set there before;
    /// [`Share::default`] for neither. Weights hold at once; by which line a job waits is decided when it becomes ready. Errors as
    /// for [`pause`](Self::pause), and with `Invalid` where it means nothing at this gate. A Redis store that is spread keeps
    /// lines in each shard by itself.
    pub async fn share(&self, gate: impl ToString, share: Share) -> Result<(), Error> {
        self.edit(gate, Edit::Share(share)).await
    }

    /// Sets how many jobs may wait in a queue, of an owner (`owner:acme`) or of each (`owners`), in all processes together, and what
    /// becomes of one that is submitted when so many do, in place of what was set there before; [`Backlog::default`] for any number.
    /// What is said of one owner goes before what is said of all. Where a process's `max_queue_size` is less, that holds for what it
    /// submits. Jobs that wait already stay, and count. The first one for owners reads all that wait. Errors as for
    /// [`pause`](Self::pause), and with `Invalid` elsewhere than at a queue or owners; a Redis store that is spread keeps none and
    /// answers with `Store`.
    pub async fn backlog(&self, gate: impl ToString, backlog: Backlog) -> Result<(), Error> {
        self.edit(gate, Edit::Backlog(backlog)).await
    }

    /// Has the jobs of a queue rise by one level of priority in every `span` that they wait, so that none of them waits for ever; `None`
    /// for not at all. It holds at once, for jobs that are ready; those that wait at a gate come back in their order there, and in
    /// a queue that is [shared](Self::share) jobs do not age: urgent ones hold up their own key only. Errors as for
    /// [`pause`](Self::pause), and with `Invalid` elsewhere than at a queue, for no time and for more than ten years.
    pub async fn aging(&self, gate: impl ToString, span: impl Into<Option<Duration>>) -> Result<(), Error> {
        self.edit(gate, Edit::Aging(span.into())).await
    }

    /// No attempt starts for so long at a gate with a rate, because whoever stands behind said when to come back. Handlers
    /// that fail with [`rate_limited`](windlass_dispatch::Error::rate_limited) do this by themselves, at the gates of the
    /// handler and of the job's keys. At most for ten years. Errors as for [`pause`](Self::pause), and with `Invalid` at a kind of
    /// keys.
    pub async fn hold(&self, gate: impl ToString, span: Duration) -> Result<(), Error> {
        self.edit(gate, Edit::Hold(span.min(DELAY_MAX))).await
    }

    /// The rule at a gate, and how many slots are taken there; `None` where there is none. Errors as for
    /// [`pause`](Self::pause).
    pub async fn get(&self, gate: impl ToString) -> Result<Option<Ruled>, Error> {
        let wanted = parse(&gate)?;
        let mut after = None;
        loop {
            let page = self.list(after.as_ref()).await?;
            if let Some(found) = page.iter().find(|ruled| ruled.gate == wanted) {
                return Ok(Some(found.clone()));
            }
            let Some(last) = page.into_iter().last() else { return Ok(None) };
            after = Some(last.gate);
        }
    }

    /// All gates that have rules, by their text, a hundred at a time, those behind `after`.
    ///
    /// # Errors
    ///
    /// `Unsupported` when the store keeps no rules.
    pub async fn list(&self, after: Option<&Gate>) -> Result<Vec<Ruled>, Error> {
        Ok(store(&self.engine.shared)?.list_gates(after, PAGE_MAX).await?)
    }

    /// Changes a rule when a process starts, which is no reason for an open breaker to close.
    pub(crate) async fn declare(&self, gate: Gate, edit: Edit) -> Result<(), Error> {
        let edit = match (&gate, edit) {
            (Gate::Handler(_), Edit::Limit(limits)) => {
                Edit::Limit(self.get(&gate).await?.map_or(limits, |ruled| keep_mark(&ruled.rule, limits)))
            }
            (_, edit) => edit,
        };
        self.edit(gate, edit).await
    }

    async fn edit(&self, gate: impl ToString, edit: Edit) -> Result<(), Error> {
        let gate = check(&gate, &edit)?;
        Ok(store(&self.engine.shared)?.edit_gate(&gate, edit).await?)
    }
}

fn store(shared: &Shared) -> Result<&dyn windlass_store::Gates, Error> {
    shared.store.gates().ok_or(Error::Unsupported { what: "rules" })
}
