use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::warn;

/// The agent's socket, open and not yet served.
#[derive(Debug)]
pub struct SocketServer {
    path: PathBuf,
    listener: UnixListener,
}

/// Why the socket cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("failed to listen on the socket {path}")]
pub struct SocketError {
    /// The file.
    path: PathBuf,
    /// Why.
    #[source]
    source: io::Error,
}

/// How long requests may go on after the process was told to stop.
const DRAIN: Duration = Duration::from_secs(10);

impl SocketServer {
    /// Opens the socket for root alone, in place of one that an earlier process left behind.
    pub fn bind(path: &Path) -> Result<Self, SocketError> {
        let failed = |source| SocketError { path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        match fs::symlink_metadata(path) {
            Ok(stale) if stale.file_type().is_socket() => fs::remove_file(path).map_err(failed)?,
            Ok(_) => {
                return Err(failed(io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    "there is a file of this name that is no socket; remove it, or name another with --socket",
                )));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Self { path: path.to_owned(), listener })
    }

    /// Serves until `stop` turns true, and then ends the requests under way.
    pub async fn run(self, router: Router, stop: watch::Receiver<bool>) {
        let Self { path, listener } = self;
        let served = axum::serve(listener, router).with_graceful_shutdown(told(stop.clone()));
        let served = async {
            if let Err(error) = served.await {
                warn!(socket = %path.display(), "the socket is no longer served: {error}");
            }
        };
        let drained = async {
            told(stop).await;
            sleep(DRAIN).await;
        };
        tokio::select! {
            () = served => {}
            () = drained => warn!("requests that were still under way are given up"),
        }
    }
}

async fn told(mut stop: watch::Receiver<bool>) {
    // An error would mean that the signal task is gone, which is as good a reason to stop.
    let _ = stop.wait_for(|stop| *stop).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_socket_replaces_a_stale_one_and_is_for_root_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run/agent.sock");
        drop(SocketServer::bind(&path).unwrap());
        let server = SocketServer::bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        drop(server);
    }

    #[tokio::test]
    async fn a_file_of_another_kind_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.sock");
        fs::write(&path, "precious").unwrap();
        let error = SocketServer::bind(&path).unwrap_err();
        assert!(crate::sources::describe(&error).contains("no socket"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }
}
