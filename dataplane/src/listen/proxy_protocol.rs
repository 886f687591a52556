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

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;

    /// What is read of a client that sends `sent` in pieces, and what is left for whoever reads next.
    async fn check(sent: &[&[u8]], expected: Result<Option<&str>, io::ErrorKind>, left: &[u8]) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let sending = async {
            let mut client = TcpStream::connect(address).await.unwrap();
            client.set_nodelay(true).unwrap();
            for piece in sent {
                client.write_all(piece).await.unwrap();
            }
        };
        let reading = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let found = read(&mut stream).await;
            let mut rest = Vec::new();
            if found.is_ok() {
                stream.read_to_end(&mut rest).await.unwrap();
            }
            (found.map_err(|error| error.kind()), rest)
        };
        let ((), (found, rest)) = tokio::join!(sending, reading);
        assert_eq!(found, expected.map(|source| source.map(|text| text.parse().unwrap())), "{sent:?}");
        assert_eq!(rest, left, "{sent:?}");
    }

    #[tokio::test]
    async fn the_header_is_taken_and_nothing_behind_it() {
        let line = b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\n";
        let block = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0d\xc0\0\x02\x01\xc0\0\x02\x02\x04\xd2\0\x50\x09";
        for header in [&line[..], &block[..]] {
            check(&[header, b"GET /"], Ok(Some("192.0.2.1:1234")), b"GET /").await;
            check(&[&[header, b"GET /"].concat()], Ok(Some("192.0.2.1:1234")), b"GET /").await;
            let pieces: Vec<&[u8]> = header.chunks(1).collect();
            check(&pieces, Ok(Some("192.0.2.1:1234")), b"").await;
            check(&[&header[..20]], Err(io::ErrorKind::UnexpectedEof), b"").await;
        }
        check(&[b"PROXY UNKNOWN\r\n\r\n"], Ok(None), b"\r\n").await;
        check(&[b"GET / HTTP/1.1\r\n"], Err(io::ErrorKind::InvalidData), b"").await;
    }
}
