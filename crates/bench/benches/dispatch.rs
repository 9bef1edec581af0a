//! The paths of `windlass-bench dispatch` under Criterion: `cargo bench -p windlass-bench`.

#[path = "../src/bin/dispatch/crowds.rs"]
mod crowds;
#[expect(dead_code, reason = "Criterion has a table of its own")]
#[path = "../src/bin/dispatch/paths.rs"]
mod paths;
#[path = "../src/bin/dispatch/peers.rs"]
mod peers;

use std::time::Instant;

use criterion::Criterion;

fn dispatch(criterion: &mut Criterion) {
    for path in &paths::ALL {
        criterion.bench_function(&format!("{} {}", path.system, path.name), |bencher| {
            bencher.iter_custom(|calls| {
                let began = Instant::now();
                (path.call)(calls);
                began.elapsed()
            });
        });
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    dispatch(&mut criterion);
    criterion.final_summary();
}
