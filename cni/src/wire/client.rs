use std::io::{self, Read, Write};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::sockopt::SendTimeout;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, setsockopt, socket};
use nix::sys::time::{TimeVal, TimeValLike as _};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::http::{AnswerError, escape, read_answer, request};
use super::{
    AddArgs, AddReply, BatchDeleteArgs, COORDINATOR_CONFIG, CoordinatorArgs, CoordinatorConfig, DeleteArgs,
    HEALTHY, IP, IPS, WORKLOAD_ENDPOINT, WorkloadEndpoint,
};

/// Asks the node agent; blocking, one connection for each request.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
    timeout: Duration,
}

/// Why there is no answer, or what it says instead of the result.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("failed to connect to the node agent on {socket}; is it running on this node?")]
    Connect {
        /// Where.
        socket: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The connection broke.
    #[error("failed to talk to the node agent on {socket}")]
    Talk {
        /// Where.
        socket: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The agent did not answer in time.
    #[error("the node agent on {socket} did not answer within {} s", .timeout.as_secs_f32())]
    TimedOut {
        /// Where.
        socket: PathBuf,
        /// How long it was waited for.
        timeout: Duration,
    },
    /// The agent answered with an error.
    #[error("{message}")]
    Refused {
        /// Status of HTTP.
        status: u16,
        /// What the agent says.
        message: String,
    },
    /// What came is no answer of an agent.
    #[error("the node agent on {socket} answered with what cannot be read: {reason}")]
    Unreadable {
        /// Where.
        socket: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl ClientError {
    /// Status of HTTP, if the agent answered with an error.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }
}

impl Client {
    /// A client of the agent on this socket. `timeout` bounds the whole of a request.
    pub fn new(socket: impl Into<PathBuf>, timeout: Duration) -> Self {
        Self { socket: socket.into(), timeout }
    }

    /// Where the agent listens.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Whether the agent answers.
    pub fn healthy(&self) -> Result<(), ClientError> {
        self.ask("GET", HEALTHY, None).map(drop)
    }

    /// The addresses of a pod, allocated if it has none.
    pub fn add(&self, args: &AddArgs) -> Result<AddReply, ClientError> {
        let answer = self.send("POST", IP, args)?;
        self.read(&answer)
    }

    /// Releases the addresses of a pod that has ended.
    pub fn delete(&self, args: &DeleteArgs) -> Result<(), ClientError> {
        self.send("DELETE", IP, args).map(drop)
    }

    /// Releases all addresses of a pod that could not be attached.
    pub fn delete_batch(&self, args: &BatchDeleteArgs) -> Result<(), ClientError> {
        self.send("DELETE", IPS, args).map(drop)
    }

    /// What a pod was given.
    pub fn workload_endpoint(&self, namespace: &str, name: &str) -> Result<WorkloadEndpoint, ClientError> {
        let (namespace, name) = (escape(namespace), escape(name));
        let target = format!("{WORKLOAD_ENDPOINT}?podNamespace={namespace}&podName={name}");
        let answer = self.ask("GET", &target, None)?;
        self.read(&answer)
    }

    /// The cluster-wide configuration of the coordinator.
    pub fn coordinator_config(&self, args: &CoordinatorArgs) -> Result<CoordinatorConfig, ClientError> {
        let answer = self.send("GET", COORDINATOR_CONFIG, args)?;
        self.read(&answer)
    }

    fn send(&self, method: &str, target: &str, body: &impl Serialize) -> Result<Vec<u8>, ClientError> {
        let body = serde_json::to_vec(body).map_err(|error| self.unreadable(&error))?;
        self.ask(method, target, Some(&body))
    }

    /// The body of the answer.
    fn ask(&self, method: &str, target: &str, body: Option<&[u8]>) -> Result<Vec<u8>, ClientError> {
        let deadline = Instant::now() + self.timeout;
        let connection = connect(&self.socket, self.timeout).map_err(|error| match error {
            // The queue of an agent that hangs is full.
            Errno::EAGAIN => self.broken(error.into()),
            _ => ClientError::Connect { socket: self.socket.clone(), source: error.into() },
        })?;
        let mut connection = Until { connection, deadline };
        let sent = connection.write_all(&request(method, target, body));
        // An agent that refuses early may close before it has read everything; its answer says why.
        let answer = match (read_answer(&mut connection), sent) {
            (Ok(answer), _) => answer,
            (Err(_), Err(error)) | (Err(AnswerError::Read(error)), Ok(())) => {
                return Err(self.broken(error));
            }
            (Err(error), Ok(())) => return Err(self.unreadable(&error)),
        };
        if answer.status == 200 {
            return Ok(answer.body);
        }
        Err(ClientError::Refused { status: answer.status, message: message(answer.status, &answer.body) })
    }

    fn read<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, ClientError> {
        serde_json::from_slice(body).map_err(|error| self.unreadable(&error))
    }

    fn unreadable(&self, reason: &impl ToString) -> ClientError {
        ClientError::Unreadable { socket: self.socket.clone(), reason: reason.to_string() }
    }

    fn broken(&self, source: io::Error) -> ClientError {
        let socket = self.socket.clone();
        match source.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                ClientError::TimedOut { socket, timeout: self.timeout }
            }
            _ => ClientError::Talk { socket, source },
        }
    }
}

/// Errors are JSON strings.
fn message(status: u16, body: &[u8]) -> String {
    let text = serde_json::from_slice::<String>(body)
        .unwrap_or_else(|_| String::from_utf8_lossy(body).trim().to_owned());
    if text.is_empty() { format!("the node agent answered with status {status}") } else { text }
}

/// Unlike the one of the standard library, it ends: an agent that is stopped, or hangs, takes no connections, and the kernel
/// waits for it as long as for a write (`unix_stream_connect`).
fn connect(path: &Path, within: Duration) -> Result<UnixStream, Errno> {
    let address = UnixAddr::new(path)?;
    let socket = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    // No time at all would mean any time.
    let milliseconds = u32::try_from(within.as_millis().max(1)).unwrap_or(u32::MAX);
    setsockopt(&socket, SendTimeout, &TimeVal::milliseconds(milliseconds.into()))?;
    nix::sys::socket::connect(socket.as_raw_fd(), &address)?;
    Ok(UnixStream::from(socket))
}

/// A connection whose reads and writes end at one moment, however many there are.
struct Until {
    connection: UnixStream,
    deadline: Instant,
}

impl Until {
    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }
}

impl Read for Until {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.connection.set_read_timeout(self.left()?)?;
        self.connection.read(buffer)
    }
}

impl Write for Until {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.connection.set_write_timeout(self.left()?)?;
        self.connection.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.connection.flush()
    }
}
