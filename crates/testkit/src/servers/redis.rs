//! A private Redis server.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, io};

use tempfile::TempDir;

use super::{child, ports, resp};

const USER: &str = "redis";
const CERTIFICATE: &str = "server.crt";
const KEY: &str = "server.key";

/// Nothing is lost that was acknowledged. A new replica gets its data by way of a file: straight over the connection it
/// would get them seconds later, and would be called online up to a second before it gets what is written next.
const DEFAULTS: &str = "appendonly yes\nappendfsync always\nsave \"\"\nrepl-diskless-sync no\n";

/// An empty server that listens on a port of this machine.
#[derive(Debug)]
pub struct RedisServer {
    server: Child,
    program: PathBuf,
    folder: TempDir,
    port: u16,
    kind: Kind,
}

/// What a server is asked to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    /// Over encrypted connections only.
    Encrypted,
    /// It watches other servers and holds no data.
    Sentinel,
}

impl RedisServer {
    /// Starts one that has on disk whatever it acknowledges.
    ///
    /// # Errors
    ///
    /// When Redis is not installed or does not start.
    pub fn start() -> io::Result<Self> {
        Self::start_with(&[])
    }

    /// Starts one with more settings, written as on Redis's command line; they override those of
    /// [`start`](Self::start).
    ///
    /// # Errors
    ///
    /// As for [`start`](Self::start), and when Redis refuses a setting.
    pub fn start_with(settings: &[&str]) -> io::Result<Self> {
        Self::launch_new(Kind::Plain, settings, &env::temp_dir())
    }

    /// As [`start`](Self::start), with its data in a folder within `place`.
    ///
    /// # Errors
    ///
    /// As for [`start`](Self::start), and when nothing can be written there.
    pub fn start_in(place: &Path) -> io::Result<Self> {
        Self::launch_new(Kind::Plain, &[], place)
    }

    /// Starts one that takes encrypted connections only, with a certificate for `localhost`: see
    /// [`certificate`](Self::certificate).
    ///
    /// # Errors
    ///
    /// As for [`start`](Self::start).
    pub fn start_encrypted() -> io::Result<Self> {
        Self::launch_new(Kind::Encrypted, &[], &env::temp_dir())
    }

    /// Starts one that watches other servers, as `settings` say.
    pub(super) fn start_sentinel(settings: &[&str]) -> io::Result<Self> {
        Self::launch_new(Kind::Sentinel, settings, &env::temp_dir())
    }

    fn launch_new(kind: Kind, settings: &[&str], place: &Path) -> io::Result<Self> {
        let program = child::find_program("redis-server", &[])?;
        let folder = tempfile::Builder::new().prefix("windlass-rd").tempdir_in(place)?;
        let port = ports::free()?;
        fill(folder.path(), port, kind, settings)?;
        let server = launch(&program, folder.path(), kind)?;
        let mut server = Self { server, program, folder, port, kind };
        server.wait()?;
        Ok(server)
    }

    /// Where to connect. A server of [`start_encrypted`](Self::start_encrypted) is at [`tls_url`](Self::tls_url).
    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// Where to connect to a server of [`start_encrypted`](Self::start_encrypted).
    pub fn tls_url(&self) -> String {
        format!("rediss://localhost:{}", self.port)
    }

    /// The certificate that a server of [`start_encrypted`](Self::start_encrypted) shows, which nobody but itself has
    /// signed.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join(CERTIFICATE)
    }

    /// Where it listens; it keeps its port over a [`restart`](Self::restart).
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// The port of its [`address`](Self::address).
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sends one command over a connection of its own, unencrypted, and returns the answer: a string without its length, a
    /// list as one line for each element, anything else as the line that Redis sent, such as `+OK`, `:1`, `$-1` or
    /// `-ERR unknown command`.
    ///
    /// # Errors
    ///
    /// When the server cannot be reached or keeps silent for five seconds.
    pub fn command(&self, parts: &[&str]) -> io::Result<String> {
        self.ask(parts, Duration::from_secs(5))
    }

    /// [`command`](Self::command) for those who ask several servers, of which some may be away.
    pub(super) fn ask(&self, parts: &[&str], patience: Duration) -> io::Result<String> {
        resp::ask(self.address(), parts, patience)
    }

    /// Kills the server as a power cut would, with everything it had in memory.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn kill(&mut self) -> io::Result<()> {
        self.server.kill()?;
        self.server.wait().map(drop)
    }

    /// Starts it again where it was, on what it had written.
    ///
    /// # Errors
    ///
    /// When it does not come back.
    pub fn restart(&mut self) -> io::Result<()> {
        self.kill()?;
        self.server = launch(&self.program, self.folder.path(), self.kind)?;
        self.wait()
    }

    /// Stops it amid whatever it does: connections stay open and nothing is answered.
    ///
    /// # Errors
    ///
    /// When it is not running.
    pub fn pause(&self) -> io::Result<()> {
        self.signal("-STOP")
    }

    /// Lets it go on after [`pause`](Self::pause).
    ///
    /// # Errors
    ///
    /// When it is not running.
    pub fn resume(&self) -> io::Result<()> {
        self.signal("-CONT")
    }

    fn signal(&self, signal: &str) -> io::Result<()> {
        child::run(Command::new("kill").arg(signal).arg(self.server.id().to_string()))
    }

    /// Until it answers; a server that ends instead is not waited for.
    fn wait(&mut self) -> io::Result<()> {
        let mut ended = false;
        child::wait_until("Redis", || {
            ended = !matches!(self.server.try_wait(), Ok(None));
            ended || self.is_ready()
        })?;
        match ended {
            true => Err(io::Error::other(format!("Redis has ended: {}", self.log()))),
            false => Ok(()),
        }
    }

    /// Neither while it still reads its data (`-LOADING`) nor, if it is encrypted, before it says so itself.
    fn is_ready(&self) -> bool {
        if self.kind == Kind::Encrypted {
            return self.log().contains("Ready to accept connections");
        }
        let answer = self.ask(&["PING"], Duration::from_secs(1));
        // A server that asks for a password is ready too.
        answer.is_ok_and(|answer| answer == "+PONG" || answer.starts_with("-NOAUTH"))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _it_is_gone_already = self.kill();
    }
}

/// Puts everything there that a server needs before it starts, and gives it to the server's user.
fn fill(folder: &Path, port: u16, kind: Kind, settings: &[&str]) -> io::Result<()> {
    if kind == Kind::Encrypted {
        make_certificate(folder)?;
    }
    fs::write(folder.join("redis.conf"), basic_config(folder, port, kind) + &config_lines(settings))?;
    File::create(folder.join("log"))?;
    child::hand_over(folder, USER)
}

fn make_certificate(folder: &Path) -> io::Result<()> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).map_err(io::Error::other)?;
    fs::write(folder.join(CERTIFICATE), made.cert.pem())?;
    fs::write(folder.join(KEY), made.signing_key.serialize_pem())
}

fn basic_config(folder: &Path, port: u16, kind: Kind) -> String {
    let path = folder.display();
    let basic = format!("bind 127.0.0.1\ndaemonize no\ndir {path}\nlogfile {path}/log\n");
    match kind {
        Kind::Plain => format!("{basic}port {port}\n{DEFAULTS}"),
        Kind::Sentinel => format!("{basic}port {port}\n"),
        Kind::Encrypted => format!(
            "{basic}{DEFAULTS}port 0\ntls-port {port}\ntls-auth-clients no\ntls-cert-file {path}/{CERTIFICATE}\n\
             tls-key-file {path}/{KEY}\ntls-ca-cert-file {path}/{CERTIFICATE}\n"
        ),
    }
}

/// Settings of a command line as Redis reads them from a file. Only there it can change them itself, as it does when a
/// sentinel makes a replica the primary, and find them changed when it is started again.
fn config_lines(settings: &[&str]) -> String {
    let word = |setting: &&str| match setting.strip_prefix("--") {
        Some(name) => format!("\n{name}"),
        None => format!(" {setting:?}"),
    };
    settings.iter().map(word).collect::<String>() + "\n"
}

/// Each start begins a new log.
fn launch(program: &Path, folder: &Path, kind: Kind) -> io::Result<Child> {
    let log = File::create(folder.join("log"))?;
    let mut command = child::command(program, USER);
    command.arg(folder.join("redis.conf"));
    if kind == Kind::Sentinel {
        command.arg("--sentinel");
    }
    command.stdout(Stdio::null()).stderr(log);
    child::start(command)
}
