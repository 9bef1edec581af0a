//! Where the database is, and how far the way there is trusted.
//!
//! `sslmode=require`, `verify-ca` and `verify-full` are one here: the connection is encrypted, and the server's
//! certificate is checked, its name too. libpq checks nothing with `require`. Without `sslmode` the connection is plain.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::fault::{Checked, Fault};
use crate::options::PostgresOptions;

/// How long a connection is silent before the system asks whether the other side is there: some may be long without work, and whatever
/// is between forgets them. The driver's own is two hours.
const SILENT_FOR: Duration = Duration::from_secs(60);

/// How to connect.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) config: Config,
    pub(crate) tls: MakeRustlsConnect,
}

impl Address {
    pub(crate) fn of(url: &str, options: &PostgresOptions) -> Checked<Self> {
        let (url, named) = in_our_words(url);
        let mut config: Config = url.parse().map_err(|_| Fault::config("not an address of a PostgreSQL database"))?;
        config.connect_timeout(options.patience).application_name("windlass");
        if config.get_keepalives_idle() == Config::new().get_keepalives_idle() {
            config.keepalives_idle(SILENT_FOR);
        }
        let roots = match config.get_ssl_mode() {
            SslMode::Require => roots(options.root_certificates.as_deref().or(named.as_deref()))?,
            mode => {
                if mode != SslMode::Disable && config.get_hosts().iter().any(is_elsewhere) {
                    tracing::warn!("the connection to PostgreSQL is not encrypted; sslmode=require makes it so");
                }
                config.ssl_mode(SslMode::Disable);
                RootCertStore::empty()
            }
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let tls = tls.map_err(|error| Fault::config(error.to_string()))?;
        let tls = MakeRustlsConnect::new(tls.with_root_certificates(roots).with_no_client_auth());
        Ok(Self { config, tls })
    }
}

fn is_elsewhere(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => !["localhost", "127.0.0.1", "::1"].contains(&name.as_str()),
        #[cfg(unix)]
        Host::Unix(_) => false,
    }
}

/// The address in the driver's words, which knows neither libpq's strict modes nor `sslrootcert`, and that file.
fn in_our_words(url: &str) -> (String, Option<PathBuf>) {
    let (base, settings, between) = match url.split_once("://") {
        None => ("", url, " "),
        Some(_) => match url.split_once('?') {
            Some((base, settings)) => (base, settings, "&"),
            None => return (url.to_owned(), None),
        },
    };
    let mut roots = None;
    let mut kept = Vec::new();
    for setting in settings.split(between).filter(|setting| !setting.is_empty()) {
        match setting.split_once('=') {
            Some(("sslrootcert", file)) => roots = Some(PathBuf::from(file.trim_matches('\''))),
            Some(("sslmode", "verify-ca" | "verify-full")) => kept.push("sslmode=require"),
            _ => kept.push(setting),
        }
    }
    let settings = kept.join(between);
    (if between == "&" { format!("{base}?{settings}") } else { settings }, roots)
}

/// The certificates in `file`, or those that the system trusts.
fn roots(file: Option<&Path>) -> Checked<RootCertStore> {
    let mut store = RootCertStore::empty();
    let Some(file) = file else {
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return match store.is_empty() {
            true => Err(Fault::config("the system trusts no certificates; name the server's with sslrootcert=file")),
            false => Ok(store),
        };
    };
    let unreadable =
        |why: &dyn std::fmt::Display| Fault::config(format!("no certificates in {}: {why}", file.display()));
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| unreadable(&error))? {
        let certificate = certificate.map_err(|error| unreadable(&error))?;
        store.add(certificate).map_err(|error| unreadable(&error))?;
    }
    if store.is_empty() { Err(unreadable(&"it holds none")) } else { Ok(store) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libpqs_words_are_understood_in_both_forms_of_an_address() {
        for (theirs, ours) in [
            ("postgres://u@h/d", "postgres://u@h/d"),
            (
                "postgres://u@h/d?sslmode=verify-full&connect_timeout=3",
                "postgres://u@h/d?sslmode=require&connect_timeout=3",
            ),
            ("host=h sslmode=verify-ca user=u", "host=h sslmode=require user=u"),
        ] {
            assert_eq!(in_our_words(theirs), (ours.to_owned(), None));
        }
        let (url, roots) = in_our_words("postgres://u@h/d?sslrootcert=/etc/ca.pem&sslmode=verify-full");
        assert_eq!((url.as_str(), roots), ("postgres://u@h/d?sslmode=require", Some(PathBuf::from("/etc/ca.pem"))));
        assert_eq!(in_our_words("host=h sslrootcert='ca.pem'"), ("host=h".to_owned(), Some(PathBuf::from("ca.pem"))));
    }

    #[test]
    fn nothing_is_encrypted_unless_asked_for_and_nothing_unchecked() {
        let mode =
            |url: &str| Address::of(url, &PostgresOptions::default()).map(|address| address.config.get_ssl_mode());
        assert_eq!(mode("postgres://u@localhost/d").ok(), Some(SslMode::Disable));
        assert_eq!(mode("postgres://u@localhost/d?sslmode=disable").ok(), Some(SslMode::Disable));
        let missing = mode("postgres://u@localhost/d?sslmode=require&sslrootcert=no-such.pem").expect_err("no file");
        assert!(windlass_store::Error::from(missing).to_string().contains("no-such.pem"));
    }
}
