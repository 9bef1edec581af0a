include!("../facade.rs");

use windlass_dispatch::Json;
use windlass_macros::job;

struct Database;

type Request = Json<String>;

#[job]
async fn save(Json(_row): Json<String>, _database: Database) {}

#[job]
async fn alias(_request: Request) {}

fn main() {}
