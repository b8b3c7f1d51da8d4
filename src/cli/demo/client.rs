//! The part of the API server that calls webhooks: HTTP/1.1 over TLS, one connection kept open.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::admission::tls::{TlsError, roots};

/// Why a webhook could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No connection, or no TLS.
    #[error("failed to connect to {address}")]
    Connect {
        /// The server.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The CA cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The exchange broke off.
    #[error("failed to ask the webhook")]
    Http(#[from] hyper::Error),
    /// The request cannot be written.
    #[error("failed to write the request")]
    Request(#[from] hyper::http::Error),
    /// The server did not answer with a review.
    #[error("the webhook answered {status}: {text}")]
    Status {
        /// What it answered with.
        status: StatusCode,
        /// Its text.
        text: String,
    },
    /// The answer is no JSON.
    #[error("failed to read the answer")]
    Answer(#[from] serde_json::Error),
}

/// A connection to the server.
#[derive(Debug)]
pub(super) struct Client {
    sender: SendRequest<Full<Bytes>>,
    address: SocketAddr,
}

/// An answered review.
#[derive(Debug)]
pub(super) struct Reply {
    /// `response` of the review.
    pub(super) response: Value,
    /// From sending the request to having read the answer.
    pub(super) took: Duration,
}

impl Client {
    /// Connects, trusting one CA and nothing else.
    pub(super) async fn connect(address: SocketAddr, ca_pem: &str) -> Result<Self, ClientError> {
        let failed = |source| ClientError::Connect { address, source };
        let config = ClientConfig::builder().with_root_certificates(roots(ca_pem)?).with_no_client_auth();
        let stream = TcpStream::connect(address).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let name = ServerName::IpAddress(address.ip().into());
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(failed)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // It ends with the sender; what breaks it is told to whoever waits for an answer.
        tokio::spawn(connection);
        Ok(Self { sender, address })
    }

    /// Sends a review and reads the answer.
    pub(super) async fn post(&mut self, path: &str, review: &Value) -> Result<Reply, ClientError> {
        let request = Request::post(path)
            .header(header::HOST, self.address.to_string())
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(review.to_string())))?;
        self.sender.ready().await?;
        let started = Instant::now();
        let answer = self.sender.send_request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        let took = started.elapsed();
        if status != StatusCode::OK {
            return Err(ClientError::Status {
                status,
                text: String::from_utf8_lossy(&body).trim().to_owned(),
            });
        }
        let mut review: Value = serde_json::from_slice(&body)?;
        Ok(Reply { response: review["response"].take(), took })
    }
}

impl Reply {
    /// Whether the object may be stored.
    pub(super) fn allowed(&self) -> bool {
        self.response["allowed"] == true
    }

    /// Warnings for the person.
    pub(super) fn warnings(&self) -> Vec<&str> {
        self.response["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// Why it is refused.
    pub(super) fn message(&self) -> &str {
        self.response["status"]["message"].as_str().unwrap_or_default()
    }

    /// The JSON patch, decoded.
    pub(super) fn patch(&self) -> Option<json_patch::Patch> {
        use base64::Engine as _;
        let text = self.response["patch"].as_str()?;
        let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
        serde_json::from_slice(&bytes).ok()
    }
}
