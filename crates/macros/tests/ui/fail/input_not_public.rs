include!("../facade.rs");

pub mod jobs {
    use windlass_dispatch::{Json, Result};
    use windlass_macros::job;

    #[derive(serde::Deserialize)]
    struct Request;

    #[job]
    pub async fn process_data(Json(_request): Json<Request>) -> Result<()> {
        Ok(())
    }
}

fn main() {}
