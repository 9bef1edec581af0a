//! Real processes for the fault tests: started on a store of their own, watched, killed.
//!
//! # Layout
//!
//! - here: [`Site`], the files of one test; [`Process`], one running program; [`until`], waiting for what another
//!   process does
//! - [`client`]: a small HTTP/1.1 client over plain sockets
//! - [`journal`]: what the fault worker wrote down about its executions
//! - [`jobs`]: jobs as numbers, and what the store says of them
//! - [`load`]: callers that submit without pause, and what may be said of executions afterwards
#![allow(dead_code, reason = "every test program uses its own part of this module")]

pub(crate) mod client;
pub(crate) mod jobs;
pub(crate) mod journal;
pub(crate) mod load;

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use windlass_testkit::servers::place_that_keeps_time;

use client::{Answer, Client};
use journal::Journal;

/// How long anything may take that is not being measured: the machine may be busy with other things.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A program's settings, as environment variables.
pub(crate) type Settings<'a> = &'a [(&'a str, &'a str)];

/// Lets the fault tests of one test program take turns, so that they do not disturb each other's clocks.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks `found` again and again until it finds something, and panics with `what` when `patience` is over.
pub(crate) fn until<T>(what: &str, patience: Duration, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "gave up after {patience:?} waiting until {what}");
        // Nobody tells us what another process does; so briefly that it does not show in the measurements.
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The files of one test: the store where it is none of a server's, the journal of executions, and what the programs
/// printed.
pub(crate) struct Site {
    folder: TempDir,
    /// The address of the server's store.
    server: Option<String>,
}

impl Site {
    /// Nothing there yet.
    pub(crate) fn new() -> Self {
        Self::within(&std::env::temp_dir())
    }

    /// The same with a store on a server, which many processes may have.
    pub(crate) fn on(server: String) -> Self {
        Self { server: Some(server), ..Self::within(&place_that_keeps_time()) }
    }

    fn within(place: &Path) -> Self {
        Self { folder: tempfile::tempdir_in(place).expect("a folder for the test"), server: None }
    }

    /// The store's address.
    pub(crate) fn store(&self) -> String {
        self.server.clone().unwrap_or_else(|| format!("file:{}", self.data().display()))
    }

    /// A place for more files.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder of the store.
    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// What ran when.
    pub(crate) fn journal(&self) -> Journal {
        Journal::read(&self.path("journal"))
    }

    /// The journal once it is `good`.
    pub(crate) fn journal_when(&self, what: &str, good: impl Fn(&Journal) -> bool) -> Journal {
        until(what, PATIENCE, || Some(self.journal()).filter(&good))
    }

    /// Everything that the programs printed, one process after the other.
    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.path("output")).unwrap_or_default()).into_owned()
    }

    /// Starts an example program on this site's store and waits until it listens.
    pub(crate) fn start(&self, program: &str, settings: Settings<'_>) -> Process {
        let already = self.output_bytes();
        let mut command = Command::new(binary(program));
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(self.append()).stderr(self.append());
        command.env("WINDLASS_STORE", self.store()).env("FAULT_JOURNAL", self.path("journal"));
        command.env("WINDLASS_LISTEN", "127.0.0.1:0").env("RUST_LOG", "info").env("NO_COLOR", "1");
        command.envs(settings.iter().copied());
        let child = command.spawn().expect("the program starts");
        let mut process = Process { child, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        process.address = until("the program listens", PATIENCE, || {
            let ended = process.ended();
            assert!(ended.is_none(), "{program} ended with {ended:?} before it listened:\n{}", self.output());
            address(&self.output_from(already))
        });
        process
    }

    fn append(&self) -> File {
        File::options().create(true).append(true).open(self.path("output")).expect("a file for the output")
    }

    fn output_bytes(&self) -> u64 {
        fs::metadata(self.path("output")).map_or(0, |file| file.len())
    }

    fn output_from(&self, offset: u64) -> String {
        use std::io::{Read, Seek, SeekFrom};
        let mut text = Vec::new();
        let mut file = File::open(self.path("output")).expect("the output is there");
        file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_to_end(&mut text)).expect("the output can be read");
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// Where the program says that it listens. The line must have ended: else the port may be cut short.
fn address(output: &str) -> Option<SocketAddr> {
    let line = output.split_inclusive('\n').find(|line| line.contains("serving address=") && line.ends_with('\n'))?;
    line.split("address=").nth(1)?.trim().parse().ok()
}

/// Examples lie beside the folder of the test programs, whatever the target folder is called.
fn binary(program: &str) -> PathBuf {
    let here = std::env::current_exe().expect("this program has a path");
    let profile = here.parent().and_then(Path::parent).expect("target/<profile>/deps");
    let path = profile.join("examples").join(program);
    assert!(path.is_file(), "{} is not built; run `cargo build -p windlass --examples`", path.display());
    path
}

/// One running program. It dies with this value.
pub(crate) struct Process {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Process {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A new connection to it.
    pub(crate) fn connect(&self) -> io::Result<Client> {
        Client::connect(self.address)
    }

    /// `GET` on a connection of its own.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.connect().and_then(|mut client| client.send("GET", path, &[], b"")).expect("an answer")
    }

    /// `POST` of JSON on a connection of its own.
    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        let headers = [("Content-Type", "application/json")];
        self.connect().and_then(|mut client| client.send("POST", path, &headers, body.as_bytes())).expect("an answer")
    }

    /// Sends a signal by its name: `TERM`, `STOP`, `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        // The shell's own `kill` is there where no program of that name is installed.
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.pid())]).status();
        assert!(sent.expect("a shell").success(), "the process is there to be signalled");
    }

    /// `kill -9`. Returns when the process is gone.
    pub(crate) fn kill(mut self) -> u32 {
        self.child.kill().expect("it was running");
        let status = self.child.wait().expect("it can be waited for");
        assert_eq!(status.signal(), Some(9), "it was killed, and had not ended by itself: {status:?}");
        self.pid()
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it can be asked")
    }

    /// Waits until it ends by itself. Gives how, and how long that took.
    pub(crate) fn wait(&mut self) -> (ExitStatus, Duration) {
        let since = Instant::now();
        let status = until("the process ends", PATIENCE, || self.ended());
        (status, since.elapsed())
    }

    /// SIGTERM, and waits until it has ended well.
    pub(crate) fn terminate(mut self) {
        self.signal("TERM");
        let (status, _) = self.wait();
        assert!(status.success(), "ended with {status:?}");
    }

    /// Its resident memory, in KiB.
    pub(crate) fn memory_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("Linux");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("every process has memory");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already, and then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
