//! What is kept of the HTTP request behind a job, for its handler to read later.

use litemap::LiteMap;
use serde::{Deserialize, Serialize};

/// A few values by name, sorted. One block of memory where a tree takes a node for eleven: most jobs keep one header.
pub type ContextMap<V> = LiteMap<String, V>;

/// Headers, route values and query values of the request that submitted the job. Only headers on the
/// application's allow-list get this far: `Authorization`, `Cookie` and the like are never stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestContext {
    /// Allowed headers by lower-case name, each with all its values in order.
    pub headers: ContextMap<Vec<String>>,
    /// Values captured by the route pattern, by name.
    pub route: ContextMap<String>,
    /// Query values by name, each with all its values in order.
    pub query: ContextMap<Vec<String>>,
}

impl RequestContext {
    /// The first value of a header; the name's case does not matter.
    pub fn header(&self, name: &str) -> Option<&str> {
        first(self.headers.get(&name.to_ascii_lowercase()))
    }

    /// The value that the route pattern captured under `name`.
    pub fn route(&self, name: &str) -> Option<&str> {
        self.route.get(name).map(String::as_str)
    }

    /// The first query value of `name`.
    pub fn query(&self, name: &str) -> Option<&str> {
        first(self.query.get(name))
    }

    /// Whether nothing was kept.
    pub fn is_empty(&self) -> bool {
        self.headers.is_empty() && self.route.is_empty() && self.query.is_empty()
    }
}

fn first(values: Option<&Vec<String>>) -> Option<&str> {
    values.and_then(|values| values.first()).map(String::as_str)
}
