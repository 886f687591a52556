//! One call by hand, to see that a proxy answers as the measurement expects before it is measured.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::load::{Call, HOST};
use crate::process::Running;

/// How long a proxy may take until it answers at all (10,000 routes have to be read first), and from then on until it
/// answers as expected.
const TO_ANSWER: Duration = Duration::from_secs(60);
const TO_ANSWER_WELL: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);
const ONE_CALL: Duration = Duration::from_secs(5);

/// What an answer must be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    pub(crate) status: u16,
    /// Bytes of its body, where that is known.
    pub(crate) length: Option<usize>,
}

/// Calls until the answer is the expected one: until the proxy listens, has read its manifests, has spent a limit.
///
/// # Errors
/// The proxy ended, or did not answer so in time; then with its last answer and what it printed.
pub(crate) fn until(server: &mut Running, address: SocketAddr, call: &Call, expected: Expected) -> Result<(), Failure> {
    let mut until = Instant::now() + TO_ANSWER;
    let mut has_answered = false;
    loop {
        server.check()?;
        let answer = ask(address, call);
        if answer.as_deref().is_ok_and(|answer| is_as(answer, expected)) {
            return Ok(());
        }
        if answer.is_ok() && !has_answered {
            has_answered = true;
            until = Instant::now() + TO_ANSWER_WELL;
        }
        if Instant::now() > until {
            let length = expected.length.map_or_else(String::new, |length| format!(" and {length} bytes"));
            let got = answer.map_or_else(|error| error.to_string(), |answer| String::from_utf8_lossy(&answer).into_owned());
            return Err(Failure::new(format!(
                "GET {} should be answered with {}{length} and was not:\n{got}\n{}",
                call.path,
                expected.status,
                server.printed()
            )));
        }
        thread::sleep(PAUSE);
    }
}

fn ask(address: SocketAddr, call: &Call) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, ONE_CALL)?;
    stream.set_read_timeout(Some(ONE_CALL))?;
    let field = call.field.as_ref().map(|(name, value)| format!("{name}: {value}\r\n")).unwrap_or_default();
    write!(stream, "GET {} HTTP/1.1\r\nHost: {HOST}\r\n{field}Connection: close\r\n\r\n", call.path)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

fn is_as(answer: &[u8], expected: Expected) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    status == Some(expected.status) && expected.length.is_none_or(|length| length == body.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_by_status_and_length() {
        let check = |answer: &str, status, length, fits| {
            assert_eq!(is_as(answer.as_bytes(), Expected { status, length }), fits, "{answer:?} {status} {length:?}");
        };
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
        check(answer, 200, Some(3), true);
        check(answer, 200, None, true);
        check(answer, 200, Some(4), false);
        check(answer, 401, None, false);
        check("HTTP/1.1 200 OK\r\nContent", 200, None, false);
        check("", 200, None, false);
    }
}
