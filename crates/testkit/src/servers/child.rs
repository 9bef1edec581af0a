//! A server's process.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Looks for a program in `PATH` and in `places`.
pub(super) fn find_program(name: &str, places: &[PathBuf]) -> io::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let candidates = places.iter().cloned().chain(std::env::split_paths(&path)).map(|place| place.join(name));
    let found = candidates.into_iter().find(|candidate| candidate.is_file());
    found.ok_or_else(|| {
        io::Error::new(io::ErrorKind::NotFound, format!("{name} is not installed; ./test installs what tests need"))
    })
}

/// `program` as `user` where this process may change to it (servers refuse to run as root), else as itself. It dies
/// with its parent.
pub(super) fn command(program: &Path, user: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if is_root() {
        command.args(["--reuid", user, "--regid", user, "--clear-groups"]);
    }
    command.arg("--").arg(program);
    command
}

/// Gives a folder to the user that the server runs as.
pub(super) fn hand_over(folder: &Path, user: &str) -> io::Result<()> {
    if is_root() {
        run(Command::new("chown").arg("-R").arg(user).arg(folder))?;
    }
    Ok(())
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

/// Runs to the end. Errors with what the program said when it fails.
pub(super) fn run(command: &mut Command) -> io::Result<()> {
    let done = command.stdin(Stdio::null()).output()?;
    match done.status.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("{command:?}: {}", String::from_utf8_lossy(&done.stderr)))),
    }
}

/// Starts a server from a thread that lives as long as this process.
pub(super) fn start(mut command: Command) -> io::Result<Child> {
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new().name("server-parent".into()).spawn(move || {
        let started = command.stdin(Stdio::null()).spawn();
        let _caller_has_gone = sender.send(started);
        loop {
            thread::park();
        }
    })?;
    receiver.recv().map_err(io::Error::other)?
}

/// Asks until the server answers, for at most a minute.
pub(super) fn wait_until(what: &str, mut answers: impl FnMut() -> bool) -> io::Result<()> {
    let began = Instant::now();
    while !answers() {
        if began.elapsed() > Duration::from_secs(60) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, format!("{what} does not answer")));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
