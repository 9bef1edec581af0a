//! The laws of the house (ARCHITECTURE.md), checked over `cargo metadata` and the source tree. A broken law is
//! named with its reason.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

const BACKENDS: [&str; 4] = ["windlass-embedded", "windlass-memory", "windlass-postgres", "windlass-redis"];
const RUNTIMES: [&str; 4] = ["tokio", "async-std", "smol", "futures-executor"];
const HTTP: [&str; 5] = ["axum", "http", "hyper", "hyper-util", "tower-http"];
const KNOW_HTTP: [&str; 3] = ["windlass", "windlass-bench", "windlass-http"];

fn metadata() -> Metadata {
    MetadataCommand::new().no_deps().exec().unwrap()
}

/// What each workspace crate builds on, development and build dependencies left out.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let normal = |package: &cargo_metadata::Package| {
        let kept = package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
        kept.map(|dependency| dependency.name.to_string()).collect()
    };
    metadata().packages.iter().map(|package| (package.name.to_string(), normal(package))).collect()
}

fn ours(dependencies: &BTreeSet<String>) -> BTreeSet<&str> {
    dependencies.iter().map(String::as_str).filter(|name| name.starts_with("windlass")).collect()
}

#[test]
fn law_1_core_depends_on_no_workspace_crate_and_on_no_async_runtime() {
    let all = dependencies();
    let core = &all["windlass-core"];
    let because = "because core only computes: it must run inside any store, any runtime and any test";
    assert!(ours(core).is_empty(), "law 1 broken: core uses {:?}, {because}", ours(core));
    assert!(!RUNTIMES.iter().any(|runtime| core.contains(*runtime)), "law 1 broken: core has a runtime, {because}");
}

#[test]
fn law_2_a_backend_uses_core_and_store_only() {
    let all = dependencies();
    for backend in BACKENDS {
        let used = ours(&all[backend]);
        let because = "because backends are replaceable and must not know each other or the engine";
        assert!(
            used.is_subset(&["windlass-core", "windlass-store"].into()),
            "law 2 broken: {backend} uses {used:?}, {because}"
        );
    }
}

#[test]
fn law_3_testkit_asserts_through_store_only() {
    let all = dependencies();
    let used = ours(&all["windlass-testkit"]);
    let because = "because a suite that knew a backend would test that backend and not the promise";
    assert!(
        used.is_subset(&["windlass-core", "windlass-store"].into()),
        "law 3 broken: testkit uses {used:?}, {because}"
    );
}

#[test]
fn law_4_engine_names_no_backend_and_dispatch_knows_no_store() {
    let all = dependencies();
    let engine = ours(&all["windlass-engine"]);
    let because = "because the seams are what makes one handler run everywhere";
    assert!(
        BACKENDS.iter().all(|backend| !engine.contains(backend)),
        "law 4 broken: engine names a backend, {because}"
    );
    let dispatch = ours(&all["windlass-dispatch"]);
    assert!(dispatch.is_subset(&["windlass-core"].into()), "law 4 broken: dispatch uses {dispatch:?}, {because}");
}

#[test]
fn law_5_only_the_http_crate_knows_http() {
    for (name, used) in dependencies() {
        let knows = HTTP.iter().any(|http| used.contains(*http));
        let may = KNOW_HTTP.contains(&name.as_str());
        assert!(!knows || may, "law 5 broken: {name} knows HTTP, because one face more must not change the engine");
    }
}

#[test]
fn law_6_only_core_decides_a_transition() {
    let because = "because a rule that is written twice is two rules";
    for file in sources().into_iter().filter(|file| !file.starts_with(root().join("crates/core"))) {
        let text = std::fs::read_to_string(&file).unwrap();
        let second_table = text.contains("(Status::") && text.contains("Event::") && text.contains("=> Status::");
        assert!(!second_table, "law 6 broken: {} has a table of transitions of its own, {because}", file.display());
    }
    for backend in BACKENDS {
        let folder = root().join("crates").join(backend.trim_start_matches("windlass-"));
        let asks = sources().iter().any(|file| file.starts_with(&folder) && read(file).contains("state::next"));
        assert!(asks, "law 6 broken: {backend} never asks core::state::next, {because}");
    }
}

#[test]
fn law_7_no_import_circle_and_no_room_without_a_purpose() {
    for file in sources() {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let vague = ["util", "utils", "common", "types", "helpers", "misc", "shared_types"].contains(&name);
        assert!(!vague, "law 7 broken: {} says nothing, because a name must tell what is inside", file.display());
    }
    for package in metadata().packages {
        let src = package.manifest_path.parent().unwrap().join("src").into_std_path_buf();
        let graph = import_graph(&src);
        for start in graph.keys() {
            let circle = circle_through(start, &graph);
            assert!(
                circle.is_none(),
                "law 7 broken in {}: {circle:?}, because a circle has no floor to stand on",
                package.name
            );
        }
    }
}

#[test]
fn law_8_functions_end_at_70_lines_and_files_at_800() {
    let because = "because the tail is what a newcomer trips over";
    for file in sources() {
        let text = read(&file);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.len() <= 800, "law 8 broken: {} has {} lines, {because}", file.display(), lines.len());
        for (name, length) in functions(&lines) {
            assert!(length <= 70, "law 8 broken: {name} in {} has {length} lines, {because}", file.display());
        }
    }
}

#[test]
fn law_9_no_unsafe_code_anywhere() {
    let manifest = read(&root().join("Cargo.toml"));
    assert!(manifest.contains("unsafe_code = \"forbid\""), "law 9 broken: the workspace does not forbid unsafe code");
    for package in metadata().packages {
        let manifest = read(package.manifest_path.as_std_path());
        let inherits = manifest.contains("[lints]\nworkspace = true");
        assert!(
            inherits,
            "law 9 broken: {} does not take the workspace's lints, which forbid unsafe code",
            package.name
        );
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_path_buf()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// Every source file of every crate; tests and benches are not part of the house.
fn sources() -> Vec<PathBuf> {
    let crates = std::fs::read_dir(root().join("crates")).unwrap();
    crates.flat_map(|entry| rust_files(&entry.unwrap().path().join("src"))).collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(rust_files(&path)),
            false if path.extension().is_some_and(|extension| extension == "rs") => files.push(path),
            false => {}
        }
    }
    files
}

/// Which module names which, by file. `lib.rs` and `main.rs` gather everything and are left out.
fn import_graph(src: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let modules: BTreeMap<String, PathBuf> = rust_files(src)
        .into_iter()
        .map(|file| (module_of(src, &file), file))
        .filter(|(name, _)| !name.is_empty())
        .collect();
    let names = |module: &String, file: &PathBuf| {
        let text = read(file);
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let named = code.flat_map(|line| line.split("crate::").skip(1).map(str::to_owned).collect::<Vec<_>>());
        named.filter_map(|path| longest(&path, &modules)).filter(|other| other != module).collect()
    };
    modules.iter().map(|(module, file)| (module.clone(), names(module, file))).collect()
}

fn module_of(src: &Path, file: &Path) -> String {
    let inside = file.strip_prefix(src).unwrap().with_extension("");
    let parts: Vec<_> = inside.iter().map(|part| part.to_str().unwrap()).filter(|part| *part != "mod").collect();
    match parts[..] {
        ["lib" | "main"] => String::new(),
        _ => parts.join("::"),
    }
}

fn longest(path: &str, modules: &BTreeMap<String, PathBuf>) -> Option<String> {
    let path: String = path.chars().take_while(|c| c.is_alphanumeric() || "_:".contains(*c)).collect();
    let mut parts: Vec<&str> = path.split("::").collect();
    while !parts.is_empty() {
        let name = parts.join("::");
        if modules.contains_key(&name) {
            return Some(name);
        }
        parts.pop();
    }
    None
}

fn circle_through(start: &str, graph: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    let mut paths = vec![vec![start.to_owned()]];
    let mut seen = BTreeSet::new();
    while let Some(path) = paths.pop() {
        for next in &graph[path.last().unwrap()] {
            let longer: Vec<String> = path.iter().cloned().chain([next.clone()]).collect();
            if next == start {
                return Some(longer);
            }
            if graph.contains_key(next) && seen.insert(next.clone()) {
                paths.push(longer);
            }
        }
    }
    None
}

/// Names and lengths of functions: from the line of `fn` to the first line that closes at its indent.
fn functions(lines: &[&str]) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let words: Vec<&str> = code.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        let Some(at) = words.iter().position(|word| *word == "fn") else { continue };
        let signature = ["pub", "async", "const", "fn"].contains(&words[0]);
        // A field may hold a function: `call: fn(u64)`.
        if !signature || !code.contains("fn ") || code.ends_with([';', '}']) {
            continue;
        }
        let indent = &line[..line.len() - code.len()];
        let end = (start + 1..lines.len()).find(|&end| lines[end].starts_with(&format!("{indent}}}")));
        found.push((words.get(at + 1).unwrap_or(&"").to_string(), end.unwrap_or(start) - start + 1));
    }
    found
}

#[test]
fn the_checks_themselves_find_what_they_look_for() {
    let graph = BTreeMap::from([
        ("a".to_owned(), BTreeSet::from(["b".to_owned()])),
        ("b".to_owned(), BTreeSet::from(["a".to_owned()])),
    ]);
    assert!(circle_through("a", &graph).is_some());
    let long: String = format!("    pub call: fn(u64),\nfn long() {{\n{}}}\n", "    work();\n".repeat(80));
    assert_eq!(functions(&long.lines().collect::<Vec<_>>()), [("long".to_owned(), 82)]);
}
