//! The client: as little HTTP as it takes, to leave the cores to the server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// A whole request, as the API server would send it.
pub(crate) fn request(path: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         user-agent: kube-apiserver-admission\r\naccept-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Sends requests over all connections, each waiting for its answer before the next; returns the latencies.
pub(crate) async fn drive(
    streams: &mut Vec<TlsStream<TcpStream>>,
    duration: Duration,
    request: &Arc<[u8]>,
) -> Result<Vec<Duration>> {
    let end = Instant::now() + duration;
    let workers: Vec<_> = streams
        .drain(..)
        .map(|mut stream| {
            let request = request.clone();
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                let mut buffer = Vec::with_capacity(16 << 10);
                while Instant::now() < end {
                    let begun = Instant::now();
                    exchange(&mut stream, &request, &mut buffer).await?;
                    latencies.push(begun.elapsed());
                }
                anyhow::Ok((stream, latencies))
            })
        })
        .collect();
    let mut all = Vec::new();
    for worker in workers {
        let (stream, latencies) = worker.await??;
        streams.push(stream);
        all.extend(latencies);
    }
    Ok(all)
}

/// One request and its answer. Answers of more than some KiB come in chunks from Go.
async fn exchange(stream: &mut TlsStream<TcpStream>, request: &[u8], buffer: &mut Vec<u8>) -> Result<()> {
    stream.write_all(request).await?;
    stream.flush().await?;
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            bail!("the server closed the connection");
        }
        let Some(head) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let text = std::str::from_utf8(&buffer[..head])?;
        if !text.starts_with("HTTP/1.1 200") {
            bail!("unexpected answer: {text}");
        }
        let header = |name: &str| {
            text.lines()
                .filter_map(|line| line.split_once(": "))
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
        };
        let done = if let Some((_, length)) = header("content-length") {
            buffer.len() >= head + 4 + length.parse::<usize>()?
        } else {
            header("transfer-encoding").context("an answer without its length")?;
            buffer.ends_with(b"\r\n0\r\n\r\n")
        };
        if done {
            return Ok(());
        }
    }
}
