//! A second reader of HTTP/1 for tests: slow, whole-input, written from the grammar alone. What the
//! guard lets through must split into the same requests here.

/// One request as the reference reads it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// Bytes of the head, empty line before it included.
    pub(super) head: usize,
    /// Bytes of the body as sent, chunk framing included.
    pub(super) body: usize,
}

/// All whole requests at the beginning of `bytes`, or why it is not HTTP.
pub(super) fn requests(mut bytes: &[u8]) -> Result<Vec<Request>, &'static str> {
    let mut requests = Vec::new();
    while let Some(request) = request(bytes)? {
        bytes = &bytes[request.head + request.body..];
        requests.push(request);
    }
    Ok(requests)
}

fn request(bytes: &[u8]) -> Result<Option<Request>, &'static str> {
    let skipped = if bytes.starts_with(b"\r\n") { 2 } else { 0 };
    let bytes = &bytes[skipped..];
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let text = latin1(&bytes[..end]);
    if text.replace("\r\n", "").contains(['\r', '\n', '\0']) {
        return Err("stray line end");
    }
    let mut lines = text.split("\r\n");
    let words: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let [_, target, "HTTP/1.0" | "HTTP/1.1"] = words[..] else { return Err("request line") };
    if target.is_empty() || target.contains(['#', '\t']) {
        return Err("target");
    }
    let fields: Vec<(String, &str)> = lines
        .map(|line| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim_matches([' ', '\t']))))
        .collect::<Option<_>>()
        .ok_or("no colon")?;
    if fields.iter().any(|(name, _)| name.is_empty() || name.contains([' ', '\t'])) {
        return Err("field name");
    }
    let all = |wanted: &str| fields.iter().filter(|(name, _)| name == wanted).map(|(_, value)| *value).collect::<Vec<_>>();
    let head = skipped + end + 4;
    let rest = &bytes[end + 4..];
    let body = match (&all("content-length")[..], &all("transfer-encoding")[..]) {
        ([], []) => Some(0),
        ([length], []) if length.bytes().all(|octet| octet.is_ascii_digit()) => {
            let length: usize = length.parse().map_err(|_| "length")?;
            (length <= rest.len()).then_some(length)
        }
        ([], [coding]) if coding.eq_ignore_ascii_case("chunked") && words[2] == "HTTP/1.1" => chunks(rest)?,
        _ => return Err("framing"),
    };
    if words[2] == "HTTP/1.1" && all("host").len() != 1 || all("host").len() > 1 {
        return Err("host");
    }
    Ok(body.map(|body| Request { head, body }))
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// The length of a whole chunked body with its trailers.
fn chunks(bytes: &[u8]) -> Result<Option<usize>, &'static str> {
    let mut at = 0;
    loop {
        let Some(line) = bytes[at..].windows(2).position(|window| window == b"\r\n") else { return Ok(None) };
        let text = latin1(&bytes[at..at + line]);
        let size = text.split(';').next().unwrap_or_default();
        if size.is_empty() || !size.bytes().all(|octet| octet.is_ascii_hexdigit()) || text.contains(['\r', '\n']) {
            return Err("chunk size");
        }
        let size = usize::from_str_radix(size, 16).map_err(|_| "chunk size")?;
        at += line + 2;
        if size == 0 {
            break;
        }
        let Some(behind) = at.checked_add(size).and_then(|end| bytes.get(end..end + 2)) else { return Ok(None) };
        if behind != b"\r\n" {
            return Err("chunk end");
        }
        at += size + 2;
    }
    loop {
        let Some(line) = bytes[at..].windows(2).position(|window| window == b"\r\n") else { return Ok(None) };
        at += line + 2;
        if line == 0 {
            return Ok(Some(at));
        }
    }
}
