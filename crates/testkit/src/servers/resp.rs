//! As much of Redis's protocol as it takes to ask one question.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Sends one command over a connection of its own and waits for each piece of the answer for as long as `patience`.
///
/// Strings come without their length, lists as one line for each element, everything else as Redis sent it.
pub(super) fn ask(address: SocketAddr, command: &[&str], patience: Duration) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(request(command).as_bytes())?;
    answer(&mut BufReader::new(stream))
}

fn request(command: &[&str]) -> String {
    let parts = command.iter().map(|part| format!("${}\r\n{part}\r\n", part.len()));
    format!("*{}\r\n{}", command.len(), parts.collect::<String>())
}

fn answer(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    // What ends without an end of line was cut off.
    let line = line.strip_suffix("\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    match line.split_at_checked(1) {
        // No string, and no list.
        Some(("$" | "*", "-1")) => Ok(line.to_owned()),
        Some(("$", length)) => string(from, length.parse().map_err(io::Error::other)?),
        Some(("*", count)) => list(from, count.parse().map_err(io::Error::other)?),
        _ => Ok(line.to_owned()),
    }
}

fn string(from: &mut impl BufRead, length: usize) -> io::Result<String> {
    let mut string = vec![0; length + "\r\n".len()];
    from.read_exact(&mut string)?;
    Ok(String::from_utf8_lossy(&string[..length]).into_owned())
}

fn list(from: &mut impl BufRead, count: usize) -> io::Result<String> {
    let elements: io::Result<Vec<_>> = (0..count).map(|_| answer(from)).collect();
    elements.map(|elements| elements.join("\n"))
}
