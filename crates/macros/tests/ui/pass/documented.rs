//! Documentation and visibility are the handler's, so that a strict crate has nothing to complain about.
#![deny(missing_docs, warnings)]

include!("../facade.rs");

/// Public jobs.
pub mod jobs {
    use windlass_dispatch::{Json, Result};
    use windlass_macros::job;

    /// Doubles a number.
    #[job(retries = 3)]
    pub async fn double(Json(number): Json<u64>) -> Result<Json<u64>> {
        Ok(Json(number * 2))
    }

    /// Does what it always did.
    #[deprecated = "use `double`"]
    #[job]
    pub async fn triple(Json(number): Json<u64>) -> Json<u64> {
        Json(number * 3)
    }

    #[job]
    #[deprecated]
    #[allow(dead_code)]
    async fn unused() {}

    #[cfg(any())]
    #[job]
    async fn absent(_: NoSuchType) {}

    #[job]
    #[cfg(any())]
    async fn absent(_: NoSuchType) {}
}

fn main() {
    windlass_dispatch::Router::new().handler(jobs::double);
}
