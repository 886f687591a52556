//! An upstream that answers with the request that it got, head and body, and tells what it heard.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::talk::{Talk, soon};

/// What the upstream heard, in this order for each request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The target of a request whose head has come.
    Begun(String),
    /// Its body has come too, and it is answered.
    Answered,
    /// The connection ended in its body.
    Aborted,
}

/// An upstream; it ends with its test.
pub(crate) struct Echo {
    /// Where it is.
    pub(crate) address: SocketAddr,
    heard: mpsc::UnboundedReceiver<Heard>,
    task: JoinHandle<()>,
}

impl Echo {
    /// Starts one.
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, heard) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, tell.clone()));
            }
        });
        Self { address, heard, task }
    }

    /// What it hears next.
    pub(crate) async fn next(&mut self) -> Heard {
        soon(self.heard.recv()).await.unwrap()
    }

    /// The targets of all requests heard by now.
    pub(crate) fn targets(&mut self) -> Vec<String> {
        let mut targets = Vec::new();
        while let Ok(heard) = self.heard.try_recv() {
            if let Heard::Begun(target) = heard {
                targets.push(target);
            }
        }
        targets
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(stream: TcpStream, tell: mpsc::UnboundedSender<Heard>) {
    let mut client = Talk::on(stream);
    // A kept connection may wait for its next request for as long as its test runs.
    while let Some(head) = client.head_at_leisure().await {
        let _ = tell.send(Heard::Begun(head.split(' ').nth(1).unwrap_or_default().to_owned()));
        let request = client.body(head).await;
        let _ = tell.send(if request.whole { Heard::Answered } else { Heard::Aborted });
        if !request.whole {
            return;
        }
        let body = [request.head.as_bytes(), b"\n\n", &request.body].concat();
        let with_body = if request.head.starts_with("HEAD ") { &[][..] } else { &body };
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        client.send([head.as_bytes(), with_body].concat()).await;
    }
}
