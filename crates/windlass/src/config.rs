//! Settings from a file and the environment: `windlass.toml`, then `WINDLASS_*` over it, one meaning for both.
//!
//! ```toml
//! max_concurrency = 16
//! lease = "30s"
//! queues = ["mail", "default"]
//! ```
//!
//! is the same as `WINDLASS_MAX_CONCURRENCY=16 WINDLASS_LEASE=30s WINDLASS_QUEUES=mail,default`. Names and
//! defaults are those of [`Settings`].

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;

use config::{Config, ConfigError, Environment, File, FileFormat, Map};
use windlass_engine::Settings;

/// The file that is read when no other is named.
pub const FILE: &str = "windlass.toml";

const PREFIX: &str = "WINDLASS_";

/// Reads `windlass.toml` in the working directory, where there is one, and this process's environment.
pub fn load() -> Result<Settings, ConfigError> {
    let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    read(Path::new(FILE), std::env::vars_os().filter_map(text).collect())
}

/// Reads `file`, where there is one, and `environment` over it. A value of the wrong form is an error that names it,
/// an unknown name in the file too; the environment may hold other `WINDLASS_` names, which are other programs' own.
pub fn read(file: &Path, environment: HashMap<String, String>) -> Result<Settings, ConfigError> {
    let known = known_names()?;
    let ours: Map<String, String> = environment
        .into_iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?.to_ascii_lowercase(), value)))
        .filter(|(name, _)| known.contains(name))
        .collect();
    let environment =
        Environment::default().source(Some(ours)).try_parsing(true).list_separator(",").with_list_parse_key("queues");
    Config::builder()
        .add_source(File::from(file).format(FileFormat::Toml).required(false))
        .add_source(environment)
        .build()?
        .try_deserialize()
}

/// The settings' names, from the settings themselves so that none can be forgotten.
fn known_names() -> Result<Vec<String>, ConfigError> {
    let defaults: HashMap<String, config::Value> = Config::try_from(&Settings::default())?.try_deserialize()?;
    Ok(defaults.into_keys().collect())
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
        let settings = read(Path::new("no-such-file.toml"), HashMap::new()).expect("valid");
        assert_eq!(settings, Settings::default());
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(FILE);
        std::fs::write(&file, "max_concurrency = 3\nlease = \"1m\"\n").expect("written");
        let said = [("WINDLASS_MAX_CONCURRENCY", "5"), ("WINDLASS_QUEUES", "mail,default"), ("WINDLASS_LISTEN", "x")];
        let settings = read(&file, environment(&said)).expect("valid");
        assert_eq!((settings.max_concurrency, settings.lease), (5, Duration::from_secs(60)));
        assert_eq!(settings.queues.len(), 2);
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
