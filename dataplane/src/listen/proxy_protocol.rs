//! Reads the PROXY protocol header of a connection, and nothing behind it.

use std::io;
use std::net::SocketAddr;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use wire::proxy_protocol::{Parsed, parse};

/// Whom the header names; `None` where the load balancer speaks for itself.
///
/// # Errors
/// The stream does not begin with a header, or ends within it.
pub(super) async fn read(stream: &mut TcpStream) -> io::Result<Option<SocketAddr>> {
    let mut header = Vec::new();
    loop {
        match parse(&header).map_err(|invalid| io::Error::new(io::ErrorKind::InvalidData, invalid))? {
            Parsed::Header { source, .. } => return Ok(source),
            Parsed::Incomplete { needed } => {
                // A header needs at least that many bytes, so none behind it is taken.
                let read = header.len();
                header.resize(needed.max(read + 1), 0);
                let rest = header.get_mut(read..).unwrap_or_default();
                stream.read_exact(rest).await?;
            }
        }
    }
}
