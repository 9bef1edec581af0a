//! Import: jobs as another store kept them, as arguments.

use redis::Cmd;
use windlass_core::Job;
use windlass_store::codec::seal;
use windlass_store::{Imported, is_importable};

use crate::answer::{list, number};
use crate::asking::Asking;
use crate::expiry;
use crate::fault::{Checked, Fault};
use crate::record;

/// A job as the script takes it: id, what was submitted, priority, when it was created, state, error, progress, history.
struct Parts([Vec<u8>; 8]);

/// Keeps each job whose id is new just as it stands.
pub(crate) async fn import(asking: &Asking<'_>, jobs: &[Job]) -> Checked<Vec<Imported>> {
    expiry::note_accepted(asking, jobs).await?;
    let importable = jobs.iter().filter(|job| is_importable(job));
    let parts = importable.map(Parts::of).collect::<Checked<Vec<_>>>()?;
    let answer = asking.run_acknowledged(&asking.scripts.import, |question| {
        question.arg(parts.len());
        parts.iter().for_each(|parts| parts.write(question));
    });
    let mut kept = list(answer.await?)?.into_iter();
    let answer = |job: &Job| {
        if !is_importable(job) {
            return Ok(Imported::Refused);
        }
        let kept = kept.next().ok_or_else(|| Fault::corrupt("a script that answers for each job did not"))?;
        Ok(if number(&kept)? == 1 { Imported::Kept } else { Imported::Existing })
    };
    jobs.iter().map(answer).collect()
}

impl Parts {
    fn of(job: &Job) -> Checked<Self> {
        Ok(Self([
            job.new.id.as_bytes().to_vec(),
            record::submitted(&job.new)?,
            job.new.priority.level().to_string().into_bytes(),
            job.created_at.as_micros().to_string().into_bytes(),
            record::state(job),
            job.error.as_ref().map(seal).transpose()?.unwrap_or_default(),
            job.progress.as_ref().map(seal).transpose()?.unwrap_or_default(),
            record::history(&job.attempts)?,
        ]))
    }

    fn write(&self, question: &mut Cmd) {
        for part in &self.0 {
            question.arg(part);
        }
    }
}
