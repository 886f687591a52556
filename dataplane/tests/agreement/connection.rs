//! Requests over a kept connection, many at once.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::request::Asked;

/// Requests that are sent before the first answer is read; their bytes fit into a socket's buffer.
const AT_ONCE: usize = 20;

/// What is compared of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// `Doorward-Code`.
    pub(crate) code: Option<String>,
}

/// A connection that is made anew where the gateway closes it.
pub(crate) struct Client {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

impl Client {
    /// A client of the gateway at this address.
    pub(crate) const fn new(address: SocketAddr) -> Self {
        Self { address, stream: None }
    }

    /// The answers to these requests, in their order.
    pub(crate) async fn ask(&mut self, requests: &[Asked]) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(requests.len());
        while answers.len() < requests.len() {
            let from = answers.len();
            let batch = &requests[from..requests.len().min(from + AT_ONCE)];
            let mut stream = match self.stream.take() {
                Some(stream) => stream,
                None => BufReader::new(TcpStream::connect(self.address).await.unwrap()),
            };
            let bytes: Vec<u8> = batch.iter().flat_map(Asked::bytes).collect();
            // The gateway may have closed while answering an earlier one; the answers tell.
            let _ = stream.write_all(&bytes).await;
            let mut is_open = true;
            for request in batch {
                let Some((answer, keeps)) = read(&mut stream, &request.method).await else {
                    assert!(answers.len() > from, "no answer to {request:?}");
                    is_open = false;
                    break;
                };
                answers.push(answer);
                if !keeps {
                    is_open = false;
                    break;
                }
            }
            self.stream = is_open.then_some(stream);
        }
        answers
    }
}

/// One answer, and whether the connection goes on; `None` where it has ended.
async fn read(stream: &mut BufReader<TcpStream>, method: &str) -> Option<(Answer, bool)> {
    let mut line = String::new();
    if stream.read_line(&mut line).await.ok()? == 0 {
        return None;
    }
    let status = line.split(' ').nth(1).unwrap().parse().unwrap();
    let mut answer = Answer { status, code: None };
    let (mut length, mut keeps) = (None, true);
    loop {
        line.clear();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match &*name.to_lowercase() {
            "doorward-code" => answer.code = Some(value.to_owned()),
            "content-length" => length = Some(value.parse().unwrap()),
            "connection" => keeps = value != "close",
            _ => {}
        }
    }
    if method != "HEAD" {
        let mut body = vec![0; length.expect("every answer here says its length")];
        stream.read_exact(&mut body).await.ok()?;
    }
    Some((answer, keeps))
}
