//! As much of HTTP/1.1 as one request on one connection needs.

use std::io::{self, Read};

/// The longest answer that is read. A pod's addresses are a few KiB.
pub(super) const LONGEST: usize = 4 << 20;

/// Status and body of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// Why what came is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum AnswerError {
    #[error(transparent)]
    Read(#[from] io::Error),
    #[error("{0}")]
    Malformed(&'static str),
    #[error("the answer is longer than {LONGEST} bytes")]
    TooLong,
}

/// The bytes of a request. The connection ends with its answer.
pub(super) fn request(method: &str, target: &str, body: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nConnection: close\r\n"
    )
    .into_bytes();
    if let Some(body) = body {
        let headers = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        bytes.extend_from_slice(headers.as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body.unwrap_or_default());
    bytes
}

/// Reads until the answer is complete: by its length, by its chunks, or by the end of the connection.
pub(super) fn read_answer(connection: &mut impl Read) -> Result<Answer, AnswerError> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        let ended = match connection.read(&mut buffer) {
            Ok(0) => true,
            Ok(count) => {
                bytes.extend_from_slice(&buffer[..count]);
                false
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        if let Some(answer) = answer(&bytes, ended)? {
            return Ok(answer);
        }
        if ended {
            let text = "the connection ended within the answer";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text).into());
        }
        if bytes.len() > LONGEST {
            return Err(AnswerError::TooLong);
        }
    }
}

/// None as long as more is to come.
fn answer(bytes: &[u8], ended: bool) -> Result<Option<Answer>, AnswerError> {
    const END: &[u8] = b"\r\n\r\n";
    let Some(end) = bytes.windows(END.len()).position(|window| window == END) else { return Ok(None) };
    let head = str::from_utf8(&bytes[..end]).map_err(|_| AnswerError::Malformed("the header is no text"))?;
    let mut lines = head.split("\r\n");
    let status = status(lines.next().unwrap_or_default())?;
    let rest = &bytes[end + END.len()..];
    let header = |name: &str| {
        lines
            .clone()
            .filter_map(|line| line.split_once(':'))
            .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then(|| value.trim()))
    };
    let body = if header("Transfer-Encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        chunks(rest)?
    } else if let Some(length) = header("Content-Length") {
        let length: usize =
            length.parse().map_err(|_| AnswerError::Malformed("Content-Length is no number"))?;
        if length > LONGEST {
            return Err(AnswerError::TooLong);
        }
        rest.get(..length).map(<[u8]>::to_vec)
    } else {
        ended.then(|| rest.to_vec())
    };
    Ok(body.map(|body| Answer { status, body }))
}

/// `HTTP/1.1 200 OK`
fn status(line: &str) -> Result<u16, AnswerError> {
    let mut words = line.splitn(3, ' ');
    let version = words.next().unwrap_or_default();
    let code = words.next().and_then(|code| code.parse().ok());
    code.filter(|_| version.starts_with("HTTP/1."))
        .ok_or(AnswerError::Malformed("the first line is no status of HTTP/1"))
}

fn chunks(mut rest: &[u8]) -> Result<Option<Vec<u8>>, AnswerError> {
    let mut body = Vec::new();
    loop {
        let Some(end) = rest.windows(2).position(|window| window == b"\r\n") else { return Ok(None) };
        let line = str::from_utf8(&rest[..end]).unwrap_or_default();
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16)
            .map_err(|_| AnswerError::Malformed("the size of a chunk is no number"))?;
        if size > LONGEST {
            return Err(AnswerError::TooLong);
        }
        if size == 0 {
            return Ok(Some(body));
        }
        let Some(chunk) = rest.get(end + 2..end + 2 + size) else { return Ok(None) };
        body.extend_from_slice(chunk);
        let Some(next) = rest.get(end + 2 + size + 2..) else { return Ok(None) };
        rest = next;
    }
}

/// A value as part of a query.
pub(super) fn escape(value: &str) -> String {
    use std::fmt::Write as _;
    let mut escaped = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}
