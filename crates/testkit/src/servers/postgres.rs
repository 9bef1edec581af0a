//! A private PostgreSQL server.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::child;

const USER: &str = "postgres";

/// A server with an empty database, reached over a socket in its own folder.
#[derive(Debug)]
pub struct PostgresServer {
    server: Child,
    programs: PathBuf,
    folder: TempDir,
}

impl PostgresServer {
    /// Starts one, with its default durability.
    ///
    /// # Errors
    ///
    /// When PostgreSQL is not installed or does not start.
    pub fn start() -> io::Result<Self> {
        let initdb = child::find_program("initdb", &packaged())?.canonicalize()?;
        let programs = initdb.parent().map(Path::to_owned).unwrap_or_default();
        let folder = tempfile::Builder::new().prefix("windlass-pg").tempdir()?;
        child::hand_over(folder.path(), USER)?;
        let data = folder.path().join("data");
        let mut make = child::command(&initdb, USER);
        child::run(make.arg("-D").arg(&data).args(["-U", USER, "-A", "trust", "--encoding=UTF8", "--locale=C"]))?;
        let server = launch(&programs, folder.path())?;
        let mut server = Self { server, programs, folder };
        server.wait()?;
        Ok(server)
    }

    /// Where to connect.
    pub fn url(&self) -> String {
        let folder = self.folder.path().display().to_string().replace('/', "%2F");
        format!("postgres://{USER}@{folder}/postgres")
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
        self.server = launch(&self.programs, self.folder.path())?;
        self.wait()
    }

    /// While processes of a killed server still hold its memory a new one gives up at once, and is started again.
    fn wait(&mut self) -> io::Result<()> {
        child::wait_until("PostgreSQL", || {
            if matches!(self.server.try_wait(), Ok(Some(_)))
                && let Ok(again) = launch(&self.programs, self.folder.path())
            {
                self.server = again;
            }
            let mut ask = Command::new(self.programs.join("pg_isready"));
            ask.arg("-q").arg("-h").arg(self.folder.path()).stdin(Stdio::null());
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

fn launch(programs: &Path, folder: &Path) -> io::Result<Child> {
    let log = File::options().create(true).append(true).open(folder.join("log"))?;
    let mut command = child::command(&programs.join("postgres"), USER);
    command.arg("-D").arg(folder.join("data")).arg("-k").arg(folder);
    command.args(["-c", "listen_addresses=", "-c", "max_connections=200"]);
    command.stdout(Stdio::null()).stderr(log);
    child::start(command)
}
