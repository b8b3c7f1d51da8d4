use super::certificates::CertificatesError;

/// Why a loop could not go on; it is started again.
#[derive(Debug, thiserror::Error)]
pub enum ControllerError {
    /// The API server refused or did not answer.
    #[error("failed to {doing}")]
    Request {
        /// What was tried: `write the Lease`, ...
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: Box<kube::Error>,
    },
    /// A watch ended.
    #[error("failed to watch {what}")]
    Watch {
        /// The kind.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<kube::runtime::watcher::Error>,
    },
    /// Certificates could not be made, read or served.
    #[error(transparent)]
    Certificates(#[from] CertificatesError),
    /// A patch of ours is no patch.
    #[error("failed to write a JSON patch")]
    Patch(#[source] serde_json::Error),
}

impl ControllerError {
    pub(super) fn request(doing: &'static str, source: kube::Error) -> Self {
        Self::Request { doing, source: Box::new(source) }
    }

    pub(super) fn watch(what: &'static str, source: kube::runtime::watcher::Error) -> Self {
        Self::Watch { what, source: Box::new(source) }
    }
}

/// What a write fenced by `resourceVersion` came to.
pub(super) fn fenced<T>(
    doing: &'static str,
    written: Result<T, kube::Error>,
) -> Result<Option<T>, ControllerError> {
    match written {
        Ok(written) => Ok(Some(written)),
        // It changed or went meanwhile: its watch brings what it is now.
        Err(kube::Error::Api(status)) if status.code == 409 || status.code == 404 => Ok(None),
        Err(source) => Err(ControllerError::request(doing, source)),
    }
}
