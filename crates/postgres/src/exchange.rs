//! Exchange: a turn as one transaction whose statements are all sent before the first answer is read.

use futures_util::future::OptionFuture;
use tokio_postgres::Row;
use windlass_store::{Claimed, Exchange, Exchanged, Fate};

use crate::asking::Asking;
use crate::expiry::{self, Notes};
use crate::fault::Checked;
use crate::news::News;
use crate::settle::Endings;
use crate::submit::Columns;
use crate::{claim, extend, settle, submit};

/// How often a transaction is tried that the server gives up in favour of another (a deadlock over the same ids).
pub(crate) const RACES_MAX: usize = 5;

/// The answers as rows.
#[derive(Default)]
struct Answers {
    settle: Vec<Row>,
    extend: Vec<Row>,
    submit: Vec<Row>,
    claim: Option<claim::Answer>,
}

/// Settles, extends, submits and claims.
pub(crate) async fn exchange(asking: &Asking<'_>, turn: &Exchange) -> Checked<Exchanged> {
    if turn.is_empty() {
        return Ok(Exchanged::default());
    }
    let limit = submit::limit(asking, turn).await?;
    let mut races = 0;
    let answers = loop {
        match attempt(asking, turn, limit).await {
            Err(fault) if fault.lost_a_race() && races < RACES_MAX => races += 1,
            answers => break answers?,
        }
    };
    let fates = settle::fates(&answers.settle)?;
    if fates.iter().any(|fate| matches!(fate, Fate::Repeated(_))) {
        asking.on_disk().await?;
    }
    Ok(Exchanged {
        fates,
        extended: extend::extensions(&answers.extend)?,
        submitted: submit::outcomes(asking, &turn.submit, answers.submit).await?,
        claimed: match &answers.claim {
            Some(answer) => claim::claimed(asking, answer)?,
            None => Claimed::default(),
        },
    })
}

/// A turn that only submits is one statement, and a statement is a transaction.
async fn attempt(asking: &Asking<'_>, turn: &Exchange, limit: Option<i64>) -> Checked<Answers> {
    let notes = notes(turn);
    if !turn.settle.is_empty() || !turn.extend.is_empty() || turn.claim.is_some() || notes.is_some() {
        return asking.in_transaction(send(asking, turn, limit, notes.as_ref())).await;
    }
    let columns = Columns::of(turn.submit.iter().map(|new| &**new))?;
    // With a test's clock every submission is told of, so that what is heard depends on no other time.
    let tell = asking.news.is_some_and(|news| asking.at.is_some() || news.begin());
    let _owed = asking.news.filter(|_| !tell).map(News::debt);
    let submit = submit::submit(asking, &columns, limit, tell.then_some(asking.channel)).await?;
    Ok(Answers { submit, ..Answers::default() })
}

/// Of those jobs that expire, submitted or emitted.
fn notes(turn: &Exchange) -> Option<Notes> {
    let emitted = turn.settle.iter().flat_map(|settlement| &settlement.emitted);
    Notes::of(turn.submit.iter().chain(emitted).map(|new| &**new))
}

async fn send(asking: &Asking<'_>, turn: &Exchange, limit: Option<i64>, notes: Option<&Notes>) -> Checked<Answers> {
    let endings = Endings::of(&turn.settle)?;
    let columns = Columns::of(turn.submit.iter().map(|new| &**new))?;
    let some = |wanted: bool| wanted.then_some(());
    let unique = columns.are_unique() || endings.emitted().are_unique();
    let (settles, submits) = (!turn.settle.is_empty(), !turn.submit.is_empty());
    // Everybody asks first how turns go, and locks keys, owners and queues after that.
    let bounded = submits && turn.claim.is_some() && (asking.rules.are_met() || limit.is_some());
    let for_some = turn.claim.as_ref().filter(|wanted| wanted.handlers.is_some());
    let begin: OptionFuture<_> = for_some.map(|wanted| claim::enter_for(asking, turn, wanted)).into();
    let enter: OptionFuture<_> =
        some(unique || bounded).map(|()| submit::enter_keys(asking, &columns, endings.emitted())).into();
    // Whoever claims waits for what has ended, so that is said after all that may wait for somebody else.
    let ends_later = turn.claim.is_some() || submits;
    let settle: OptionFuture<_> = some(settles).map(|()| settle::settle(asking, &endings, ends_later)).into();
    let extend: OptionFuture<_> = some(!turn.extend.is_empty()).map(|()| extend::extend(asking, &turn.extend)).into();
    let submit: OptionFuture<_> = some(submits).map(|()| submit::submit(asking, &columns, limit, None)).into();
    let end: OptionFuture<_> = some(settles && ends_later && turn.claim.is_none()).map(|()| settle::end(asking)).into();
    let froms = turn.claim.as_ref().and_then(|wanted| claim::begin(asking, wanted));
    let claim: OptionFuture<_> =
        turn.claim.as_ref().map(|wanted| claim::claim(asking, wanted, froms.as_deref())).into();
    let outlook: OptionFuture<_> =
        turn.claim.as_ref().map(|wanted| claim::outlook(asking, wanted, froms.as_deref(), settles || submits)).into();
    let announce: OptionFuture<_> =
        some((settles || submits) && turn.claim.is_none()).map(|()| asking.announce()).into();
    let note: OptionFuture<_> = notes.map(|notes| expiry::note(asking, notes)).into();
    let (begun, entered, noted, settle, extend, submit, ended, claim, outlook, announced) =
        futures_util::join!(begin, enter, note, settle, extend, submit, end, claim, outlook, announce);
    begun.transpose()?;
    entered.transpose()?;
    noted.transpose()?;
    // In the order of their statements: those behind one that fails are told no more than that it has.
    let (settle, extend, submit) = (settle.transpose()?, extend.transpose()?, submit.transpose()?);
    ended.transpose()?;
    let answers = Answers {
        settle: settle.unwrap_or_default(),
        extend: extend.unwrap_or_default(),
        submit: submit.unwrap_or_default(),
        claim: claim.transpose()?.zip(outlook.transpose()?).map(|(jobs, outlook)| claim::Answer {
            jobs,
            outlook,
            froms,
        }),
    };
    announced.transpose()?;
    Ok(answers)
}
