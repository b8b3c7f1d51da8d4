//! The Secret's content as values, and back. Pure.

use std::collections::BTreeMap;
use std::time::SystemTime;

use k8s_openapi::ByteString;
use k8s_openapi::jiff::Timestamp;

use crate::admission::certificates::{Authority, Leaf};

/// Keys and certificates of one installation.
#[derive(Clone, PartialEq, Eq)]
pub struct Material {
    /// Signs leaves.
    pub authority: Authority,
    /// Is served.
    pub leaf: Leaf,
    /// The authority's successor: clients are told to trust it before anything is signed by it.
    pub next: Option<Authority>,
    /// The authority's predecessor: trusted as long as a leaf of it may still be in use.
    pub previous: Option<Retired>,
}

/// An authority that signs nothing any more.
#[derive(Clone, PartialEq, Eq)]
pub struct Retired {
    /// Its certificate.
    pub cert_pem: String,
    /// When its last leaf expires.
    pub until: SystemTime,
}

/// Why the Secret cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MaterialError {
    /// A key of `data` is not there.
    #[error("the Secret has no {0}")]
    Missing(&'static str),
    /// A value is not text.
    #[error("{0} of the Secret is no text")]
    NotText(&'static str),
    /// A value is no time.
    #[error("{PREVIOUS_UNTIL} of the Secret is no RFC 3339 time")]
    NoTime,
}

const CA: &str = "ca.crt";
const CA_KEY: &str = "ca.key";
const CERT: &str = "tls.crt";
const KEY: &str = "tls.key";
const NEXT: &str = "ca-next.crt";
const NEXT_KEY: &str = "ca-next.key";
const PREVIOUS: &str = "ca-previous.crt";
const PREVIOUS_UNTIL: &str = "ca-previous.until";

/// `data` of a Secret.
pub(super) type Data = BTreeMap<String, ByteString>;

impl Material {
    /// Reads `data` of the Secret.
    pub(super) fn read(data: &Data) -> Result<Self, MaterialError> {
        let optional = |key: &'static str| match data.get(key) {
            None => Ok(None),
            Some(bytes) => match std::str::from_utf8(&bytes.0) {
                Ok(text) => Ok(Some(text.to_owned())),
                Err(_) => Err(MaterialError::NotText(key)),
            },
        };
        let required = |key| optional(key)?.ok_or(MaterialError::Missing(key));
        let next = match (optional(NEXT)?, optional(NEXT_KEY)?) {
            (Some(cert_pem), Some(key_pem)) => Some(Authority { cert_pem, key_pem }),
            _ => None,
        };
        let previous = match (optional(PREVIOUS)?, optional(PREVIOUS_UNTIL)?) {
            (Some(cert_pem), Some(until)) => {
                let until: Timestamp = until.trim().parse().map_err(|_| MaterialError::NoTime)?;
                Some(Retired { cert_pem, until: until.into() })
            }
            _ => None,
        };
        Ok(Self {
            authority: Authority { cert_pem: required(CA)?, key_pem: required(CA_KEY)? },
            leaf: Leaf { cert_pem: required(CERT)?, key_pem: required(KEY)? },
            next,
            previous,
        })
    }

    /// Writes `data` of the Secret.
    pub(super) fn write(&self) -> Data {
        let mut data = vec![
            (CA, self.authority.cert_pem.clone()),
            (CA_KEY, self.authority.key_pem.clone()),
            (CERT, self.leaf.cert_pem.clone()),
            (KEY, self.leaf.key_pem.clone()),
        ];
        if let Some(next) = &self.next {
            data.push((NEXT, next.cert_pem.clone()));
            data.push((NEXT_KEY, next.key_pem.clone()));
        }
        if let Some(previous) = &self.previous {
            let until = Timestamp::try_from(previous.until).unwrap_or(Timestamp::MAX);
            data.push((PREVIOUS, previous.cert_pem.clone()));
            data.push((PREVIOUS_UNTIL, until.to_string()));
        }
        data.into_iter().map(|(key, text)| (key.to_owned(), ByteString(text.into_bytes()))).collect()
    }

    /// What the API server is told to trust: every authority whose leaves may be met, now or next.
    #[must_use]
    pub fn bundle(&self) -> String {
        let next = self.next.as_ref().map(|authority| authority.cert_pem.as_str());
        let previous = self.previous.as_ref().map(|retired| retired.cert_pem.as_str());
        let certificates = [Some(self.authority.cert_pem.as_str()), next, previous];
        let lines = certificates.into_iter().flatten().flat_map(|pem| [pem.trim_end(), "\n"]);
        lines.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn material() -> Material {
        Material {
            authority: Authority { cert_pem: "CA\n".into(), key_pem: "CA KEY".into() },
            leaf: Leaf { cert_pem: "LEAF".into(), key_pem: "LEAF KEY".into() },
            next: Some(Authority { cert_pem: "NEXT".into(), key_pem: "NEXT KEY".into() }),
            previous: Some(Retired {
                cert_pem: "PREVIOUS".into(),
                until: UNIX_EPOCH + Duration::from_secs(1_767_225_601),
            }),
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let full = material();
        assert!(Material::read(&full.write()) == Ok(full.clone()));
        let plain = Material { next: None, previous: None, ..full };
        assert!(Material::read(&plain.write()) == Ok(plain.clone()));
        let keys: Vec<String> = plain.write().into_keys().collect();
        assert_eq!(keys, ["ca.crt", "ca.key", "tls.crt", "tls.key"]);
    }

    #[test]
    fn the_bundle_overlaps() {
        assert_eq!(material().bundle(), "CA\nNEXT\nPREVIOUS\n");
    }

    #[test]
    fn what_is_missing_is_named() {
        let mut data = material().write();
        data.remove("ca.key");
        assert!(Material::read(&data) == Err(MaterialError::Missing("ca.key")));
        data.insert("ca.key".into(), ByteString(vec![0xff]));
        assert!(Material::read(&data) == Err(MaterialError::NotText("ca.key")));
    }
}
