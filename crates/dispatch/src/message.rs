//! What is sent inside an application: commands, queries and events.

/// A message. `#[derive(Command)]`, `#[derive(Query)]` and `#[derive(Event)]` write it.
pub trait Message: Send + Sync + 'static {
    /// Its name on the wire. Keep it when the code is renamed: stored messages carry it.
    const NAME: &'static str;

    /// The version of its shape, from 1.
    const VERSION: u16;
}

/// A message that exactly one handler answers.
#[diagnostic::on_unimplemented(
    message = "nobody answers a `{Self}`",
    label = "neither a command nor a query",
    note = "write `#[derive(Command)]` or `#[derive(Query)]` on it, and its answer's type as `#[message(reply = …)]`"
)]
pub trait Answered: Message {
    /// What its handler answers when it succeeds.
    type Reply: Send + 'static;
}

/// A message that asks for something to be done. It has exactly one handler.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a command",
    label = "not a command",
    note = "write `#[derive(Command)]` on it, or send it as what it is: `query` for queries, `publish` for events"
)]
pub trait Command: Answered {}

/// A message that asks what is so, and changes nothing. It has exactly one handler.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a query",
    label = "not a query",
    note = "write `#[derive(Query)]` on it, or send it as what it is: `send` for commands, `publish` for events"
)]
pub trait Query: Answered {}

/// A message that says what has happened. Any number of handlers hear it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event",
    label = "not an event",
    note = "write `#[derive(Event)]` on it, or send it as what it is: `send` for commands, `query` for queries"
)]
pub trait Event: Message {}
