//! Settings from a file and the environment: `windlass.toml`, then `WINDLASS_*` over it, one meaning for both.
//!
//! ```toml
//! store = "file:windlass-data"
//! max_concurrency = 16
//! lease = "30s"
//! queues = ["mail", "default"]
//! queue_weights = { mail = 3, default = 1 }
//! ```
//!
//! is the same as `WINDLASS_STORE=file:windlass-data WINDLASS_MAX_CONCURRENCY=16 WINDLASS_LEASE=30s
//! WINDLASS_QUEUES=mail,default WINDLASS_QUEUE_WEIGHTS=mail=3,default=1`. Names and defaults are those of [`Settings`]; `store` is the address that
//! [`Windlass::open`](crate::Windlass::open) takes.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;

use config::{Config, ConfigError, Environment, File, FileFormat, Map, Value, ValueKind};
use serde::Deserialize;
use windlass_engine::Settings;

/// The file that is read when no other is named.
pub const FILE: &str = "windlass.toml";

/// The store that is opened when none is named.
pub const STORE: &str = "file:windlass-data";

const PREFIX: &str = "WINDLASS_";
const STORE_KEY: &str = "store";

/// What a file and the environment say.
#[derive(Clone, PartialEq)]
pub struct Configuration {
    /// The store's address, where one is named. It may hold a password.
    pub store: Option<String>,
    /// The engine's settings.
    pub settings: Settings,
}

impl Configuration {
    /// The address of the store to open.
    pub fn store(&self) -> &str {
        self.store.as_deref().unwrap_or(STORE)
    }

    /// The same without the user and the password in it, for people and logs.
    pub fn shown_store(&self) -> String {
        let (scheme, rest) = self.store().split_once("://").unwrap_or((self.store(), ""));
        match rest.rsplit_once('@') {
            Some((_, place)) => format!("{scheme}://…@{place}"),
            None => self.store().to_owned(),
        }
    }
}

impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configuration").field("store", &self.shown_store()).field("settings", &self.settings).finish()
    }
}

/// Reads `windlass.toml` in the working directory, where there is one, and this process's environment.
pub fn load() -> Result<Configuration, ConfigError> {
    let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    read(Path::new(FILE), std::env::vars_os().filter_map(text).collect())
}

/// Reads `file`, where there is one, and `environment` over it. A value of the wrong form is an error that names it,
/// an unknown name in the file too; the environment may hold other `WINDLASS_` names, which are other programs' own.
pub fn read(file: &Path, environment: HashMap<String, String>) -> Result<Configuration, ConfigError> {
    let known = known_names()?;
    let ours: Map<String, String> = environment
        .into_iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?.to_ascii_lowercase(), value)))
        .filter(|(name, _)| known.contains(name))
        .collect();
    let environment = Environment::default()
        .source(Some(ours))
        .try_parsing(true)
        .list_separator(",")
        .with_list_parse_key("queues")
        .with_list_parse_key("handlers")
        .with_list_parse_key("queue_weights");
    let said = Config::builder()
        .add_source(File::from(file).format(FileFormat::Toml).required(false))
        .add_source(environment)
        .build()?;
    let mut said: Map<String, Value> = said.try_deserialize()?;
    let store = said.remove(STORE_KEY).map(Value::into_string).transpose()?;
    Ok(Configuration { store, settings: Settings::deserialize(Value::new(None, ValueKind::Table(said)))? })
}

/// The settings' names, from the settings themselves so that none can be forgotten.
fn known_names() -> Result<Vec<String>, ConfigError> {
    let defaults: HashMap<String, config::Value> = Config::try_from(&Settings::default())?.try_deserialize()?;
    Ok(defaults.into_keys().chain([STORE_KEY.to_owned()]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn environment(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    #[test]
    fn nothing_said_is_the_defaults() {
        let said = read(Path::new("no-such-file.toml"), HashMap::new()).expect("valid");
        assert_eq!(said, Configuration { store: None, settings: Settings::default() });
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(FILE);
        std::fs::write(&file, "max_concurrency = 3\nlease = \"1m\"\n").expect("written");
        let said = [("WINDLASS_MAX_CONCURRENCY", "5"), ("WINDLASS_QUEUES", "mail,default"), ("WINDLASS_LISTEN", "x")];
        let settings = read(&file, environment(&said)).expect("valid").settings;
        assert_eq!((settings.max_concurrency, settings.lease), (5, Duration::from_secs(60)));
        assert_eq!(settings.queues.len(), 2);
        let said = environment(&[("WINDLASS_MIN_CONCURRENCY", "2")]);
        let settings = read(&file, said).expect("valid").settings;
        assert_eq!(settings.min_concurrency, Some(2), "settings that are not set by default can be set too");
    }

    #[test]
    fn handlers_are_a_list() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(FILE);
        std::fs::write(&file, "handlers = [\"Invoice\"]\n").expect("written");
        let handlers = |said: Configuration| {
            let handlers = said.settings.handlers.expect("set").into_iter();
            handlers.map(String::from).collect::<Vec<_>>()
        };
        assert_eq!(handlers(read(&file, HashMap::new()).expect("valid")), ["Invoice"]);
        let said = read(&file, environment(&[("WINDLASS_HANDLERS", "Invoice,Report")])).expect("valid");
        assert_eq!(handlers(said), ["Invoice", "Report"]);
        let said = read(Path::new("none.toml"), environment(&[("WINDLASS_HANDLERS", "Invoice")])).expect("valid");
        assert_eq!(handlers(said), ["Invoice"]);
    }

    #[test]
    fn weights_are_a_table_in_the_file_and_a_list_in_the_environment() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(FILE);
        std::fs::write(&file, "queues = [\"mail.eu\", \"b\"]\n[queue_weights]\n\"mail.eu\" = 3\n").expect("written");
        let weights = |said: Configuration| {
            let weights = said.settings.queue_weights.expect("set").into_iter();
            weights.map(|(queue, weight)| (queue.to_string(), weight)).collect::<Vec<_>>()
        };
        assert_eq!(weights(read(&file, HashMap::new()).expect("valid")), [("mail.eu".to_owned(), 3)]);
        let said = read(&file, environment(&[("WINDLASS_QUEUE_WEIGHTS", "mail.eu=2,b=5")])).expect("valid");
        assert_eq!(weights(said), [("b".to_owned(), 5), ("mail.eu".to_owned(), 2)]);
        let error = read(&file, environment(&[("WINDLASS_QUEUE_WEIGHTS", "b:5")])).expect_err("no weight");
        assert!(error.to_string().contains("write `mail=3`"), "{error}");
    }

    #[test]
    fn one_line_chooses_the_store_in_the_file_or_over_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(FILE);
        std::fs::write(&file, "store = \"file:here\"\nlease = \"1m\"\n").expect("written");
        let said = read(&file, HashMap::new()).expect("valid");
        assert_eq!((said.store.as_deref(), said.settings.lease), (Some("file:here"), Duration::from_secs(60)));
        let said = read(&file, environment(&[("WINDLASS_STORE", "memory:")])).expect("valid");
        assert_eq!(said.store.as_deref(), Some("memory:"));
        let said = read(&file, environment(&[("WINDLASS_STORE", "postgres://app:secret@db:5432/app")])).expect("valid");
        assert_eq!(said.shown_store(), "postgres://…@db:5432/app");
        assert!(!format!("{said:?}").contains("secret"));
        std::fs::write(&file, "store = [1]\n").expect("written");
        assert!(read(&file, HashMap::new()).is_err());
    }

    #[test]
    fn mistakes_are_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(FILE);
        std::fs::write(&file, "max_concurency = 3\n").expect("written");
        let error = read(&file, HashMap::new()).expect_err("unknown name");
        assert!(error.to_string().contains("max_concurency"), "{error}");
        let error = read(Path::new("none.toml"), environment(&[("WINDLASS_LEASE", "soon")])).expect_err("no duration");
        assert!(error.to_string().contains("`lease`"), "{error}");
    }
}
