//! A private pooler in front of a PostgreSQL server.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use tempfile::TempDir;

use super::PostgresServer;
use super::child;

const USER: &str = "postgres";

/// PgBouncer in transaction mode: each transaction may meet another session.
#[derive(Debug)]
pub struct PgBouncer {
    pooler: Child,
    folder: TempDir,
}

impl PgBouncer {
    /// Starts one in front of `server`, with fewer sessions than its clients open.
    ///
    /// # Errors
    ///
    /// When PgBouncer is not installed or does not start.
    pub fn start(server: &PostgresServer) -> io::Result<Self> {
        let program = child::find_program("pgbouncer", &[PathBuf::from("/usr/sbin")])?;
        let folder = tempfile::Builder::new().prefix("windlass-pb").tempdir()?;
        let (path, config) = (folder.path().display(), folder.path().join("pgbouncer.ini"));
        // Sessions that are old have met many schemas: each change of one looks at all that they have planned.
        fs::write(
            &config,
            format!(
                "[databases]\n* = host={} user={USER}\n[pgbouncer]\nlisten_addr =\nlisten_port = 6432\n\
                 unix_socket_dir = {path}\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 6\n\
                 server_lifetime = 3\nmax_client_conn = 2000\nlogfile = {path}/log\n",
                server.folder().display()
            ),
        )?;
        child::hand_over(folder.path(), USER)?;
        let mut command = child::command(&program, USER);
        command.arg("-q").arg(&config).stdout(Stdio::null()).stderr(Stdio::null());
        let pooler = Self { pooler: child::start(command)?, folder };
        let socket = pooler.folder.path().join(".s.PGSQL.6432");
        child::wait_until("PgBouncer", || std::os::unix::net::UnixStream::connect(&socket).is_ok())?;
        Ok(pooler)
    }

    /// Where to connect.
    pub fn url(&self) -> String {
        let folder = self.folder.path().display().to_string().replace('/', "%2F");
        format!("postgres://{USER}@{folder}:6432/postgres")
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _it_is_gone_already = self.pooler.kill().and_then(|()| self.pooler.wait());
    }
}
