//! Finds the handler of a job by name, and checks before anything runs that every handler has what it needs.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use futures_util::future::join_all;
use windlass_core::JobName;

use crate::application::{Application, Entries, Joined, Joins};
use crate::durable::Submitter;
use crate::handler::Handler;
use crate::routed::Routed;
use crate::states::States;

/// Collects handlers and shared values. All complaints come out of [`build`](Self::build).
#[derive(Default)]
pub struct Router {
    handlers: Vec<(&'static str, Arc<dyn Routed>)>,
    applications: Vec<Arc<dyn Joins>>,
    states: States,
}

impl Router {
    /// A router without handlers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a handler.
    pub fn handler<H: Handler>(mut self, handler: H) -> Self {
        self.handlers.push((H::NAME, Arc::new(handler)));
        self
    }

    /// Adds the handlers of an application, of all messages that are data: their jobs run as its messages do, in its layers
    /// and with what it shares.
    pub fn application<App: Application>(mut self, application: &Arc<App>) -> Self {
        self.handlers.extend(Entries::collect().jobs(application));
        self.applications.push(Arc::new(Joined(application.clone())));
        self
    }

    /// Adds a value that handlers take as [`State<S>`](crate::State).
    pub fn state<S: Clone + Send + Sync + 'static>(mut self, value: S) -> Self {
        self.states.insert(value);
        self
    }

    /// Checks names, duplicates and needs. The error names every handler that is wrong and what to write.
    pub fn build(self) -> Result<Routes, BuildError> {
        let mut complaints = Vec::new();
        let mut handlers = HashMap::with_capacity(self.handlers.len());
        for (name, handler) in self.handlers {
            let needs = handler.needs();
            if needs.application() {
                complaints.push(format!(
                    "handler {name:?} returns messages that its application sends on; add it with `.application(&app)`"
                ));
            }
            let missing = self.states.missing(&needs);
            complaints.extend(missing.iter().map(|state| missing_state(name, state)));
            match JobName::new(name) {
                Err(error) => complaints.push(format!("handler {name:?}: {error}")),
                Ok(valid) => match handlers.entry(valid) {
                    Entry::Occupied(_) => complaints.push(format!("two handlers are called {name:?}; rename one")),
                    Entry::Vacant(place) => drop(place.insert(handler)),
                },
            }
        }
        match complaints.is_empty() {
            true => Ok(Routes { handlers, applications: self.applications, states: Arc::new(self.states) }),
            false => Err(BuildError { complaints }),
        }
    }
}

fn missing_state(handler: &str, state: &str) -> String {
    format!("handler {handler:?} takes State<{state}>, which was not given; add `.state(…)` with a value of that type")
}

/// Handlers and shared values that belong together.
#[derive(Clone, Default)]
pub struct Routes {
    handlers: HashMap<JobName, Arc<dyn Routed>>,
    applications: Vec<Arc<dyn Joins>>,
    states: Arc<States>,
}

impl Routes {
    /// The handler called `name`.
    pub fn find(&self, name: &str) -> Option<&Arc<dyn Routed>> {
        self.handlers.get(name)
    }

    /// The names of all handlers, in no order.
    pub fn names(&self) -> impl Iterator<Item = &JobName> {
        self.handlers.keys()
    }

    /// The application's shared values.
    pub fn states(&self) -> &Arc<States> {
        &self.states
    }

    /// Starts the local queues of all applications, and connects them to what takes their jobs.
    pub fn start_applications(&self, submitter: &Arc<dyn Submitter>) {
        self.applications.iter().for_each(|application| application.start(submitter));
    }

    /// Drains their local queues.
    pub async fn drain_applications(&self) {
        join_all(self.applications.iter().map(|application| application.drain())).await;
    }

    /// Whether there are no handlers.
    pub fn is_empty(&self) -> bool {
        self.handlers.is_empty()
    }
}

/// What is wrong with a set of handlers, one sentence each.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", complaints.join("\n"))]
pub struct BuildError {
    complaints: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;
    use crate::error::Result;
    use crate::extract::{FromContext, NoInput, State};
    use crate::states::Needs;

    struct Needy;

    impl Handler for Needy {
        type Input = NoInput;
        type Output = ();
        const NAME: &'static str = "Needy";

        fn needs(&self, needs: &mut Needs) {
            <State<u64> as FromContext>::needs(needs);
        }

        async fn run(&self, _input: NoInput, cx: Context) -> Result<()> {
            State::<u64>::from_context(&cx).map(drop)
        }
    }

    #[test]
    fn a_missing_state_is_an_error_at_build_that_says_what_to_write() {
        let error = Router::new().handler(Needy).build().err().expect("state is missing");
        assert!(error.to_string().contains("State<u64>"), "{error}");
        assert!(Router::new().handler(Needy).state(7_u64).build().is_ok());
    }

    #[test]
    fn two_handlers_of_one_name_are_refused() {
        let error = Router::new().handler(Needy).handler(Needy).state(7_u64).build().err().expect("twice");
        assert!(error.to_string().contains("two handlers"), "{error}");
    }
}
