//! A private PostgreSQL server.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::{env, io};

use tempfile::TempDir;

use super::child;

const USER: &str = "postgres";
/// PostgreSQL's own names for them.
const CERTIFICATE: &str = "server.crt";
const KEY: &str = "server.key";
const LOG: &str = "log";

/// A server with an empty database, reached over a socket in its own folder; with [`start_encrypted`], over TCP too.
///
/// [`start_encrypted`]: Self::start_encrypted
#[derive(Debug)]
pub struct PostgresServer {
    server: Child,
    programs: PathBuf,
    folder: TempDir,
    /// Where it listens besides its socket.
    port: Option<u16>,
}

impl PostgresServer {
    /// Starts one, with its default durability.
    ///
    /// # Errors
    ///
    /// When PostgreSQL is not installed or does not start.
    pub fn start() -> io::Result<Self> {
        Self::launch_new(None, &env::temp_dir())
    }

    /// As [`start`](Self::start), with its data in a folder within `place`.
    ///
    /// # Errors
    ///
    /// As for [`start`](Self::start), and when nothing can be written there.
    pub fn start_in(place: &Path) -> io::Result<Self> {
        Self::launch_new(None, place)
    }

    /// Starts one that listens on a port of this machine as well, for encrypted connections only, with a certificate for
    /// `localhost`: see [`certificate`](Self::certificate).
    ///
    /// # Errors
    ///
    /// As for [`start`](Self::start).
    pub fn start_encrypted() -> io::Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        Self::launch_new(Some(port), &env::temp_dir())
    }

    fn launch_new(port: Option<u16>, place: &Path) -> io::Result<Self> {
        let initdb = child::find_program("initdb", &packaged())?.canonicalize()?;
        let programs = initdb.parent().map(Path::to_owned).unwrap_or_default();
        let folder = tempfile::Builder::new().prefix("windlass-pg").tempdir_in(place)?;
        child::hand_over(folder.path(), USER)?;
        let data = folder.path().join("data");
        let mut make = child::command(&initdb, USER);
        child::run(make.arg("-D").arg(&data).args(["-U", USER, "-A", "trust", "--encoding=UTF8", "--locale=C"]))?;
        if port.is_some() {
            encrypt(&data)?;
        }
        let server = launch(&programs, folder.path(), port)?;
        let mut server = Self { server, programs, folder, port };
        server.wait()?;
        Ok(server)
    }

    /// Where to connect.
    pub fn url(&self) -> String {
        let folder = self.folder.path().display().to_string().replace('/', "%2F");
        format!("postgres://{USER}@{folder}/postgres")
    }

    /// Its address over TCP, without `sslmode`; `None` for a server of [`start`](Self::start).
    pub fn tcp_url(&self, host: &str) -> Option<String> {
        self.port.map(|port| format!("postgres://{USER}@{host}:{port}/postgres"))
    }

    /// The certificate that it shows, which nobody but itself has signed.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("data").join(CERTIFICATE)
    }

    /// Everything that it has logged.
    pub fn log(&self) -> io::Result<String> {
        std::fs::read_to_string(self.folder.path().join(LOG))
    }

    /// Where its socket and its files are.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Kills the server as a power cut would, with everything it had in memory.
    pub fn kill(&mut self) -> io::Result<()> {
        self.server.kill()?;
        self.server.wait().map(drop)
    }

    /// Starts it again on what it had written.
    ///
    /// # Errors
    ///
    /// When it does not come back.
    pub fn restart(&mut self) -> io::Result<()> {
        self.server = launch(&self.programs, self.folder.path(), self.port)?;
        self.wait()
    }

    /// While processes of a killed server still hold its memory a new one gives up at once, and is started again.
    fn wait(&mut self) -> io::Result<()> {
        child::wait_until("PostgreSQL", || {
            if matches!(self.server.try_wait(), Ok(Some(_)))
                && let Ok(again) = launch(&self.programs, self.folder.path(), self.port)
            {
                self.server = again;
            }
            let mut ask = Command::new(self.programs.join("pg_isready"));
            ask.arg("-q").arg("-h").arg(self.folder.path()).stdin(Stdio::null());
            ask.args(self.port.iter().flat_map(|port| ["-p".to_owned(), port.to_string()]));
            ask.status().is_ok_and(|status| status.success())
        })
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        let _it_is_gone_already = self.kill();
    }
}

/// The newest that Debian's packages installed.
fn packaged() -> Vec<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut programs: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    programs.sort();
    programs.reverse();
    programs
}

/// Only encrypted connections are let in over TCP.
fn encrypt(data: &Path) -> io::Result<()> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).map_err(io::Error::other)?;
    std::fs::write(data.join(CERTIFICATE), made.cert.pem())?;
    std::fs::write(data.join(KEY), made.signing_key.serialize_pem())?;
    child::run(Command::new("chmod").arg("600").arg(data.join(KEY)))?;
    std::fs::write(data.join("pg_hba.conf"), "local all all trust\nhostssl all all 127.0.0.1/32 trust\n")?;
    child::hand_over(data, USER)
}

fn launch(programs: &Path, folder: &Path, port: Option<u16>) -> io::Result<Child> {
    let log = File::options().create(true).append(true).open(folder.join(LOG))?;
    let mut command = child::command(&programs.join("postgres"), USER);
    command.arg("-D").arg(folder.join("data")).arg("-k").arg(folder);
    command.args(["-c", "max_connections=200"]);
    match port {
        Some(port) => command.args(["-c", "listen_addresses=127.0.0.1", "-c", "ssl=on", "-p", &port.to_string()]),
        None => command.args(["-c", "listen_addresses="]),
    };
    command.stdout(Stdio::null()).stderr(log);
    child::start(command)
}
