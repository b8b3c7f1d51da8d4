use std::error::Error;
use std::io;
use std::net::SocketAddr;

use super::cluster::ClusterError;
use super::demo::ClientError;
use crate::admission::ServeError;
use crate::admission::files::FilesError;
use crate::catalog::BadObject;
use crate::manifests::RenderError;
use crate::sources::{DirectoryError, FileProblem};
use crate::telemetry::logging::LoggingError;
use crate::yaml::WriteError;

/// How a verb that did its work ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Nothing to report.
    Success,
    /// There are errors in what was looked at, or it was denied.
    Findings,
}

impl Exit {
    /// The exit code of the process.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Findings => 1,
        }
    }

    /// [`Exit::Findings`] if there are any.
    #[must_use]
    pub fn findings(any: bool) -> Self {
        if any { Self::Findings } else { Self::Success }
    }
}

/// Why a verb could not do its work; always exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A file named by the person cannot be read.
    #[error("failed to read {path}")]
    Read {
        /// The file, `-` for standard input.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("failed to write {path}")]
    Write {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Some of the input cannot be read; the rest was worked on.
    #[error("failed to read {} of the documents given: {}", .0.len(), list(.0))]
    Unreadable(Vec<FileProblem>),
    /// There is nothing to work on.
    #[error("no objects in {files}")]
    Empty {
        /// The files.
        files: String,
    },
    /// The catalog's directory cannot be used.
    #[error(transparent)]
    Catalog(#[from] DirectoryError),
    /// An object cannot be written as YAML.
    #[error(transparent)]
    Yaml(#[from] WriteError),
    /// An object cannot be written as JSON.
    #[error("failed to write JSON")]
    Json(#[from] serde_json::Error),
    /// A patch does not fit the pod that it was made for.
    #[error("failed to apply the patch")]
    Patch(#[from] json_patch::PatchError),
    /// There is nothing to explain.
    #[error("no pod and no pod template in {files}")]
    NoPods {
        /// The files.
        files: String,
    },
    /// There is nothing to render.
    #[error("no SpiderMultusConfig in {files}")]
    NoNetworks {
        /// The files.
        files: String,
    },
    /// A network that passed every rule has another shape than its type.
    #[error("{place}: failed to read the network")]
    Network {
        /// `FILE:LINE: SpiderMultusConfig a`.
        place: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Something that was named is not there.
    #[error("there is no {what} {name}; {known}")]
    Unknown {
        /// `group`
        what: &'static str,
        /// Its name.
        name: String,
        /// What there is instead.
        known: String,
    },
    /// A pod's addresses cannot be planned at all.
    #[error("failed to plan addresses: {0}")]
    Addresses(String),
    /// The cluster cannot be asked.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The server in this process does not answer.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// An object that the webhooks accepted cannot be read.
    #[error("failed to read an accepted object")]
    Object(#[source] BadObject),
    /// A manifest cannot be rendered.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// A review cannot be read.
    #[error("failed to answer the review: {0}")]
    Review(String),
    /// Logging cannot be set up.
    #[error(transparent)]
    Logging(#[from] LoggingError),
    /// Metrics cannot be set up.
    #[error("failed to register the metrics")]
    Metrics(#[from] prometheus::Error),
    /// The controller cannot start.
    #[error(transparent)]
    Controller(#[from] super::ProcessError),
    /// CA or certificate cannot be used.
    #[error(transparent)]
    Certificates(#[from] FilesError),
    /// The server cannot be started.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The admin port cannot be opened.
    #[error("failed to listen on {address}")]
    Listen {
        /// As asked for.
        address: SocketAddr,
        /// What the kernel says.
        #[source]
        source: io::Error,
    },
    /// The process gets no threads or signals.
    #[error("failed to start the runtime")]
    Runtime(#[source] io::Error),
    /// Standard output or error is gone.
    #[error("failed to write to the terminal")]
    Output(#[from] io::Error),
    /// A pod template is no pod.
    #[error("{place}: failed to read the pod")]
    Pod {
        /// `FILE:LINE: Deployment a: spec.template`.
        place: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

fn list(problems: &[FileProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl Failure {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Read { path, .. } if path == "-" => Some("give YAML or JSON on standard input".to_owned()),
            Self::Read { .. } => Some("-f takes files and directories; `-` is standard input".to_owned()),
            Self::Empty { .. } => Some("directories are searched for *.yaml, *.yml and *.json".to_owned()),
            Self::Catalog(_) => {
                Some("--catalog takes a directory with manifests of networks and pools".to_owned())
            }
            Self::Pod { .. } => Some("compare the template with `kubectl explain pod.spec`".to_owned()),
            Self::Listen { .. } | Self::Serve(ServeError::Bind { .. }) => Some(
                "choose other ports with --listen and --admin-listen; port 0 takes a free one".to_owned(),
            ),
            Self::Certificates(_) => Some(
                "remove the directory's files to have new ones made, or name another with --certs".to_owned(),
            ),
            Self::Cluster(_) => Some(
                "is `kubectl get pods` possible with this kubeconfig? --catalog DIR answers without a cluster".to_owned(),
            ),
            _ => None,
        }
    }

    /// Whether the reader of our output went away (`railweave inject ... | head`), which is no error.
    #[must_use]
    pub fn is_closed_output(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The message with everything that led to it.
    #[must_use]
    pub fn message(&self) -> String {
        let mut message = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let text = error.to_string();
            // Some errors repeat their cause in their own text.
            if !message.ends_with(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            cause = error.source();
        }
        message
    }
}
