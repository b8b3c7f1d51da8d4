//! Certificates in a directory: watched for `controller` with mounted files, made on the spot for `serve`.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::certificates::{
    AUTHORITY_VALIDITY, Authority, CertificateError, LEAF_VALIDITY, Validity, is_signed_by, issue_leaf,
    make_authority, names,
};
use super::tls::{LiveCertificate, TlsError};
use crate::telemetry::metrics::Metrics;

const CERT: &str = "tls.crt";
const KEY: &str = "tls.key";
const CA: &str = "ca.crt";
const CA_KEY: &str = "ca.key";

/// Why a directory could not be used.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A file could not be read.
    #[error("failed to read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the kernel says.
        #[source]
        source: io::Error,
    },
    /// A file could not be written.
    #[error("failed to write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the kernel says.
        #[source]
        source: io::Error,
    },
    /// A certificate could not be made or read.
    #[error("failed to use the certificates in {dir}")]
    Certificate {
        /// The directory.
        dir: PathBuf,
        /// What is wrong with them.
        #[source]
        source: CertificateError,
    },
    /// The pair cannot be served.
    #[error("failed to serve with the certificates in {dir}")]
    Pair {
        /// The directory.
        dir: PathBuf,
        /// What is wrong with them.
        #[source]
        source: TlsError,
    },
}

/// The files of a directory.
#[derive(Clone, PartialEq, Eq)]
pub struct Files {
    /// `tls.crt`: the leaf, with intermediate certificates after it.
    pub cert_pem: String,
    /// `tls.key`
    pub key_pem: String,
    /// `ca.crt`, if it is there: what clients should trust.
    pub ca_pem: Option<String>,
}

/// Reads `tls.crt`, `tls.key` and, if it is there, `ca.crt`.
///
/// A mounted Secret is a set of links through `..data`, which the kubelet swaps as a whole; following that
/// link once gives files that belong together.
pub fn read(dir: &Path) -> Result<Files, FilesError> {
    let dir = fs::canonicalize(dir.join("..data")).unwrap_or_else(|_| dir.to_owned());
    let ca_pem = match text(&dir, CA) {
        Err(FilesError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
        other => Some(other?),
    };
    Ok(Files { cert_pem: text(&dir, CERT)?, key_pem: text(&dir, KEY)?, ca_pem })
}

fn text(dir: &Path, name: &str) -> Result<String, FilesError> {
    let path = dir.join(name);
    fs::read_to_string(&path).map_err(|source| FilesError::Read { path, source })
}

/// Reads the directory and serves with what is in it.
pub fn load(dir: &Path, live: &LiveCertificate) -> Result<Files, FilesError> {
    let files = read(dir)?;
    live.set(&files.cert_pem, &files.key_pem)
        .map_err(|source| FilesError::Pair { dir: dir.to_owned(), source })?;
    Ok(files)
}

/// Keeps `live` in step with the directory; never returns.
///
/// The content is compared every few seconds: a watch on the files dies with the link that the kubelet swaps,
/// and network file systems report nothing. With `own_names`, certificates made by [`ensure_local`] are
/// renewed as well. Whatever goes wrong, the pair before stays in force and the metric says so.
pub async fn watch(dir: &Path, own_names: Option<&[String]>, live: &LiveCertificate, metrics: &Metrics) {
    const EVERY: Duration = Duration::from_secs(3);
    let mut served: Option<Files> = None;
    let mut complaint = String::new();
    loop {
        let outcome = match own_names.map_or(Ok(()), |names| ensure_local(dir, names, SystemTime::now())) {
            Ok(()) => refresh(dir, live, &mut served),
            Err(error) => Err(error),
        };
        metrics.certificate_reload_failed.set(i64::from(outcome.is_err()));
        match outcome {
            Ok(()) => complaint.clear(),
            Err(error) => {
                let text = chain(&error);
                if text != complaint {
                    tracing::warn!(error = text, "the certificate before stays in force");
                    complaint = text;
                }
            }
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Serves with what is in the directory if that is news.
fn refresh(dir: &Path, live: &LiveCertificate, served: &mut Option<Files>) -> Result<(), FilesError> {
    let files = read(dir)?;
    if served.as_ref() == Some(&files) {
        return Ok(());
    }
    live.set(&files.cert_pem, &files.key_pem)
        .map_err(|source| FilesError::Pair { dir: dir.to_owned(), source })?;
    tracing::info!(dir = %dir.display(), "serving with the certificate of the directory");
    *served = Some(files);
    Ok(())
}

/// The error with its sources, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

/// Makes sure that the directory holds a certificate for `names`: makes a CA and a leaf where there are none,
/// and a new leaf when the old one nears its end, was signed by another CA or lacks a name.
///
/// A pair without our `ca.key` beside it was put there by the user and is left alone.
pub fn ensure_local(dir: &Path, names: &[String], now: SystemTime) -> Result<(), FilesError> {
    let there = |name: &str| dir.join(name).exists();
    if there(CERT) && there(KEY) && !there(CA_KEY) {
        return Ok(());
    }
    let failed = |source| FilesError::Certificate { dir: dir.to_owned(), source };
    let authority = if let Some(authority) = stored_authority(dir, now) {
        authority
    } else {
        let authority = make_authority("railweave local CA", now, AUTHORITY_VALIDITY).map_err(failed)?;
        write(dir, CA_KEY, &authority.key_pem)?;
        write(dir, CA, &authority.cert_pem)?;
        authority
    };
    if !leaf_is_good(dir, &authority, names, now) {
        let leaf = issue_leaf(&authority, names, now, LEAF_VALIDITY).map_err(failed)?;
        write(dir, KEY, &leaf.key_pem)?;
        write(dir, CERT, &leaf.cert_pem)?;
    }
    Ok(())
}

/// The CA in the directory, if it is there and has some life left.
fn stored_authority(dir: &Path, now: SystemTime) -> Option<Authority> {
    let authority = Authority { cert_pem: text(dir, CA).ok()?, key_pem: text(dir, CA_KEY).ok()? };
    let validity = Validity::of(&authority.cert_pem).ok()?;
    (validity.holds(now) && !validity.due(now)).then_some(authority)
}

fn leaf_is_good(dir: &Path, authority: &Authority, wanted: &[String], now: SystemTime) -> bool {
    let Ok(files) = read(dir) else { return false };
    let validity = Validity::of(&files.cert_pem).is_ok_and(|v| v.holds(now) && !v.due(now));
    let signed = is_signed_by(&files.cert_pem, &authority.cert_pem).unwrap_or(false);
    let named = names(&files.cert_pem).is_ok_and(|names| wanted.iter().all(|name| names.contains(name)));
    let paired = LiveCertificate::default().set(&files.cert_pem, &files.key_pem).is_ok();
    validity && signed && named && paired
}

/// Writes a file that nobody sees half-written, and keys that nobody else can read.
fn write(dir: &Path, name: &str, content: &str) -> Result<(), FilesError> {
    let path = dir.join(name);
    let mode = if [KEY, CA_KEY].contains(&name) { 0o600 } else { 0o644 };
    let written = || {
        fs::create_dir_all(dir)?;
        let new = dir.join(format!(".{name}.new"));
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&new)?;
        file.write_all(content.as_bytes())?;
        fs::rename(new, &path)
    };
    written().map_err(|source| FilesError::Write { path: path.clone(), source })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn localhost() -> Vec<String> {
        ["localhost", "127.0.0.1"].map(str::to_owned).to_vec()
    }

    #[test]
    fn an_empty_directory_gets_a_ca_and_a_leaf_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        ensure_local(dir.path(), &localhost(), now).unwrap();
        let files = read(dir.path()).unwrap();
        assert!(is_signed_by(&files.cert_pem, &files.ca_pem.unwrap()).unwrap());
        assert_eq!(names(&files.cert_pem).unwrap(), localhost());
        for key in [KEY, CA_KEY] {
            let mode = fs::metadata(dir.path().join(key)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{key}");
        }
    }

    #[test]
    fn a_good_leaf_stays_and_an_old_one_is_renewed_under_the_same_ca() {
        let dir = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        ensure_local(dir.path(), &localhost(), now).unwrap();
        let first = read(dir.path()).unwrap();
        ensure_local(dir.path(), &localhost(), now + 59 * DAY).unwrap();
        assert!(read(dir.path()).unwrap() == first);
        ensure_local(dir.path(), &localhost(), now + 61 * DAY).unwrap();
        let second = read(dir.path()).unwrap();
        assert_eq!(second.ca_pem, first.ca_pem);
        assert_ne!(second.cert_pem, first.cert_pem);
    }

    #[test]
    fn a_new_name_or_a_mismatched_key_makes_a_new_leaf() {
        let dir = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        ensure_local(dir.path(), &localhost(), now).unwrap();
        let mut more = localhost();
        more.push("node-1".into());
        ensure_local(dir.path(), &more, now).unwrap();
        assert_eq!(names(&read(dir.path()).unwrap().cert_pem).unwrap(), more);
        fs::copy(dir.path().join(CA_KEY), dir.path().join(KEY)).unwrap();
        ensure_local(dir.path(), &more, now).unwrap();
        load(dir.path(), &LiveCertificate::default()).unwrap();
    }

    #[test]
    fn certificates_of_the_user_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let ca = make_authority("corporate", SystemTime::now(), AUTHORITY_VALIDITY).unwrap();
        let leaf = issue_leaf(&ca, &["other".into()], SystemTime::now(), DAY).unwrap();
        fs::write(dir.path().join(CERT), &leaf.cert_pem).unwrap();
        fs::write(dir.path().join(KEY), &leaf.key_pem).unwrap();
        ensure_local(dir.path(), &localhost(), SystemTime::now()).unwrap();
        let files = read(dir.path()).unwrap();
        assert_eq!(files.cert_pem, leaf.cert_pem);
        assert_eq!(files.ca_pem, None);
    }

    #[test]
    fn a_mounted_secret_is_read_through_its_link_and_a_bad_one_keeps_the_pair_before() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path();
        for version in ["v1", "v2"] {
            ensure_local(&dir.join(version), &localhost(), SystemTime::now()).unwrap();
        }
        symlink("v1", dir.join("..data")).unwrap();
        let live = LiveCertificate::default();
        let mut served = None;
        refresh(dir, &live, &mut served).unwrap();
        let first = served.clone().unwrap();

        fs::copy(dir.join("v1").join(KEY), dir.join("v2").join(KEY)).unwrap();
        symlink("v2", dir.join("..tmp")).unwrap();
        fs::rename(dir.join("..tmp"), dir.join("..data")).unwrap();
        let error = refresh(dir, &live, &mut served).unwrap_err();
        assert!(matches!(error, FilesError::Pair { .. }), "{error}");
        assert!(served == Some(first), "the pair before stays");
        assert!(live.expiry().is_some());
    }
}
