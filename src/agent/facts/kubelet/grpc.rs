//! One call of gRPC over a unix socket: a POST over HTTP/2 with a message of protobuf in a frame of five bytes.

use std::io;
use std::path::{Path, PathBuf};

use bytes::{BufMut as _, Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper::header::{CONTENT_TYPE, HeaderMap, TE};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::UnixStream;

/// Flag and length before each message.
const FRAME: usize = 5;
/// The kubelet's own limit for an answer.
const LONGEST_ANSWER: usize = 16 << 20;

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GrpcError {
    #[error("failed to connect to {}", socket.display())]
    Connect {
        socket: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("failed to speak HTTP/2")]
    Http(#[from] hyper::Error),
    #[error("failed to read the answer")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The server answered, and refused.
    #[error("the server refused with gRPC status {code}: {message}")]
    Status { code: String, message: String },
    #[error("the answer is no gRPC: {0}")]
    Foreign(&'static str),
    #[error("failed to decode the answer")]
    Decode(#[from] prost::DecodeError),
}

impl GrpcError {
    /// Nobody listens: there is no socket, or none that a process has open.
    pub(crate) fn nobody_there(&self) -> bool {
        let kinds = [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused];
        matches!(self, Self::Connect { source, .. } if kinds.contains(&source.kind()))
    }
}

/// Calls `method` (`/package.Service/Method`) with an empty request or any other.
pub(crate) async fn call<A: Message + Default>(
    socket: &Path,
    method: &'static str,
    request: &impl Message,
) -> Result<A, GrpcError> {
    let stream = UnixStream::connect(socket).await;
    let stream = stream.map_err(|source| GrpcError::Connect { socket: socket.to_owned(), source })?;
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    // Ends with the sender.
    tokio::spawn(connection);
    let request = Request::post(format!("http://localhost{method}"))
        .header(CONTENT_TYPE, "application/grpc")
        .header(TE, "trailers")
        .body(Full::new(framed(request)))
        .map_err(|_| GrpcError::Foreign("the method is no path"))?;
    read(sender.send_request(request).await?).await
}

fn framed(message: &impl Message) -> Bytes {
    let text = message.encode_to_vec();
    let mut frame = BytesMut::with_capacity(FRAME + text.len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(text.len()).unwrap_or(u32::MAX));
    frame.extend_from_slice(&text);
    frame.freeze()
}

async fn read<A: Message + Default>(response: Response<Incoming>) -> Result<A, GrpcError> {
    if !response.status().is_success() {
        return Err(GrpcError::Foreign("its HTTP status is not 200"));
    }
    let (head, body) = response.into_parts();
    let body = Limited::new(body, LONGEST_ANSWER).collect().await.map_err(GrpcError::Body)?;
    // A refusal may come with the headers alone.
    let trailers = body.trailers().cloned().unwrap_or_default();
    let status = if head.headers.contains_key("grpc-status") { &head.headers } else { &trailers };
    check(status)?;
    let mut frame = body.to_bytes();
    if frame.len() < FRAME || frame[0] != 0 {
        return Err(GrpcError::Foreign("it has no uncompressed message"));
    }
    Ok(A::decode(frame.split_off(FRAME))?)
}

fn check(status: &HeaderMap) -> Result<(), GrpcError> {
    let text = |name| status.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    match text("grpc-status").as_deref() {
        Some("0") => Ok(()),
        Some(code) => Err(GrpcError::Status {
            code: code.to_owned(),
            message: text("grpc-message").unwrap_or_default(),
        }),
        None => Err(GrpcError::Foreign("it has no grpc-status")),
    }
}
