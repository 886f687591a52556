//! A server whose answers a test writes itself, and which keeps what it was asked, byte for byte.
//!
//! One request a connection. A test that must hold an answer back does so in its own closure.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::client::{Message, Side, read};

/// A server on loopback; it ends with the test.
pub struct Origin {
    /// Where it is.
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<Message>>>,
    ended: Arc<AtomicBool>,
}

impl Origin {
    /// Starts one that has `answer` write every answer. Once `answer` returns, the connection is closed.
    ///
    /// # Errors
    /// No port is to be had.
    pub fn start(
        answer: impl Fn(&Message, &mut dyn Write) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let origin = Self { address, received: Arc::default(), ended: Arc::default() };
        let (received, ended, answer) = (Arc::clone(&origin.received), Arc::clone(&origin.ended), Arc::new(answer));
        thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let (received, answer) = (Arc::clone(&received), Arc::clone(&answer));
                thread::spawn(move || {
                    let Ok(request) = read(&mut stream, Side::Server) else { return };
                    received.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
                    // What a gateway that gave up does not read is no failure of a test.
                    let _ = answer(&request, &mut stream);
                });
            }
        });
        Ok(origin)
    }

    /// What it was asked so far, in order.
    #[must_use]
    pub fn received(&self) -> Vec<Message> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often it was asked for this path.
    #[must_use]
    pub fn count(&self, path: &str) -> usize {
        self.received().iter().filter(|request| request.start.split(' ').nth(1) == Some(path)).count()
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect_timeout(&self.address, std::time::Duration::from_millis(100));
    }
}

/// An answer with `more` header lines, each ended by CR LF.
#[must_use]
pub fn answer(status: u16, more: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status} Said\r\nContent-Length: {length}\r\nConnection: close\r\n{more}\r\n{body}").into_bytes()
}

/// An answer in JSON.
#[must_use]
pub fn json(status: u16, body: &str) -> Vec<u8> {
    answer(status, "Content-Type: application/json\r\n", body)
}

/// One chunk of a chunked body.
#[must_use]
pub fn chunk(data: &str) -> Vec<u8> {
    format!("{:x}\r\n{data}\r\n", data.len()).into_bytes()
}
