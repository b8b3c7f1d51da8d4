//! Makes and reads certificates. The time is an argument; nothing here touches files or the cluster.

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

/// How long an authority of our own lives.
pub const AUTHORITY_VALIDITY: Duration = days(3650);
/// How long a leaf lives; it is renewed after two thirds.
pub const LEAF_VALIDITY: Duration = days(90);
/// Certificates begin a little in the past, because the clocks of nodes differ.
const CLOCK_SKEW: Duration = Duration::from_mins(5);

const fn days(count: u64) -> Duration {
    Duration::from_hours(24 * count)
}

/// Why a certificate could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// rcgen refused.
    #[error("failed to make a certificate")]
    Make(#[from] rcgen::Error),
    /// The text holds no certificate.
    #[error("failed to read the certificate from PEM")]
    Pem(#[source] rustls_pki_types::pem::Error),
    /// The certificate is no X.509.
    #[error("failed to read the certificate: {0}")]
    Parse(String),
}

/// A CA and its key.
#[derive(Clone, PartialEq, Eq)]
pub struct Authority {
    /// The certificate.
    pub cert_pem: String,
    /// The key (PKCS #8).
    pub key_pem: String,
}

/// A serving certificate and its key.
#[derive(Clone, PartialEq, Eq)]
pub struct Leaf {
    /// The certificate.
    pub cert_pem: String,
    /// The key (PKCS #8).
    pub key_pem: String,
}

/// From when to when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Not earlier.
    pub not_before: SystemTime,
    /// Not later.
    pub not_after: SystemTime,
}

impl Validity {
    /// The validity of the first certificate of a PEM text.
    pub fn of(cert_pem: &str) -> Result<Self, CertificateError> {
        read(cert_pem, |certificate| {
            let validity = certificate.validity();
            Self {
                not_before: time(validity.not_before.timestamp()),
                not_after: time(validity.not_after.timestamp()),
            }
        })
    }

    /// Whether the certificate is valid at a time.
    #[must_use]
    pub fn holds(&self, now: SystemTime) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }

    /// When it is time for a successor: two thirds of the life are over.
    #[must_use]
    pub fn renewal(&self) -> SystemTime {
        let life = self.not_after.duration_since(self.not_before).unwrap_or_default();
        self.not_before + life * 2 / 3
    }

    /// Whether it is time for a successor.
    #[must_use]
    pub fn due(&self, now: SystemTime) -> bool {
        now >= self.renewal()
    }

    /// Whether it holds, and the sentence for people.
    pub(super) fn describe(&self, now: SystemTime) -> (bool, String) {
        let whole_days = |span: Duration| span.as_secs() / (24 * 3600);
        match (now.duration_since(self.not_after), self.not_before.duration_since(now)) {
            (Ok(ago), _) if !ago.is_zero() => (false, format!("expired {} days ago", whole_days(ago))),
            (_, Ok(ahead)) if !ahead.is_zero() => (false, "not valid yet; check the clock".to_owned()),
            _ => {
                let left = self.not_after.duration_since(now).unwrap_or_default();
                (true, format!("valid for {} more days", whole_days(left)))
            }
        }
    }
}

/// Makes a CA (ECDSA P-256) that may sign leaves only.
pub fn make_authority(
    name: &str,
    now: SystemTime,
    validity: Duration,
) -> Result<Authority, CertificateError> {
    let mut params = params(name, Vec::new(), now, validity)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate = params.self_signed(&key)?;
    Ok(Authority { cert_pem: certificate.pem(), key_pem: key.serialize_pem() })
}

/// Makes a serving certificate (ECDSA P-256) for DNS names and IP addresses.
pub fn issue_leaf(
    authority: &Authority,
    names: &[String],
    now: SystemTime,
    validity: Duration,
) -> Result<Leaf, CertificateError> {
    issue(authority, names, now, validity, ExtendedKeyUsagePurpose::ServerAuth)
}

/// Makes a client certificate (ECDSA P-256), for trying out a server that asks for one.
pub fn issue_client(
    authority: &Authority,
    name: &str,
    now: SystemTime,
    validity: Duration,
) -> Result<Leaf, CertificateError> {
    issue(authority, &[name.to_owned()], now, validity, ExtendedKeyUsagePurpose::ClientAuth)
}

fn issue(
    authority: &Authority,
    names: &[String],
    now: SystemTime,
    validity: Duration,
    usage: ExtendedKeyUsagePurpose,
) -> Result<Leaf, CertificateError> {
    let common_name = names.first().map_or("railweave", String::as_str);
    let mut params = params(common_name, names.to_vec(), now, validity)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    let issuer = Issuer::from_ca_cert_pem(&authority.cert_pem, KeyPair::from_pem(&authority.key_pem)?)?;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate = params.signed_by(&key, &issuer)?;
    Ok(Leaf { cert_pem: certificate.pem(), key_pem: key.serialize_pem() })
}

fn params(
    common_name: &str,
    names: Vec<String>,
    now: SystemTime,
    validity: Duration,
) -> Result<CertificateParams, CertificateError> {
    let mut params = CertificateParams::new(names)?;
    // X.520 allows 64 characters; the names that count are the alternative ones.
    let common_name: String = common_name.chars().take(64).collect();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = (now - CLOCK_SKEW).into();
    params.not_after = (now + validity).into();
    Ok(params)
}

/// Whether the first certificate of `cert_pem` was signed by one of the CAs in `ca_pem`.
pub fn is_signed_by(cert_pem: &str, ca_pem: &str) -> Result<bool, CertificateError> {
    let leaf = first(cert_pem)?;
    let (_, leaf) = X509Certificate::from_der(&leaf).map_err(|error| parse_error(&error))?;
    for ca in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
        let ca = ca.map_err(CertificateError::Pem)?;
        let (_, ca) = X509Certificate::from_der(&ca).map_err(|error| parse_error(&error))?;
        if leaf.issuer() == ca.subject() && leaf.verify_signature(Some(ca.public_key())).is_ok() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The DNS names and IP addresses of the first certificate of a PEM text.
pub fn names(cert_pem: &str) -> Result<Vec<String>, CertificateError> {
    read(cert_pem, |certificate| {
        let extension = certificate.subject_alternative_name().ok().flatten();
        let names = extension.map(|extension| &extension.value.general_names);
        names.into_iter().flatten().filter_map(name).collect()
    })
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let v6 = <[u8; 16]>::try_from(*bytes).map(IpAddr::from);
            v4.or(v6).ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

fn first(pem: &str) -> Result<CertificateDer<'static>, CertificateError> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(CertificateError::Pem)
}

fn read<T>(pem: &str, look: impl FnOnce(&X509Certificate<'_>) -> T) -> Result<T, CertificateError> {
    let der = first(pem)?;
    let (_, certificate) = X509Certificate::from_der(&der).map_err(|error| parse_error(&error))?;
    Ok(look(&certificate))
}

fn parse_error(error: &x509_parser::nom::Err<x509_parser::error::X509Error>) -> CertificateError {
    CertificateError::Parse(error.to_string())
}

fn time(unix_seconds: i64) -> SystemTime {
    let magnitude = Duration::from_secs(unix_seconds.unsigned_abs());
    if unix_seconds < 0 { UNIX_EPOCH - magnitude } else { UNIX_EPOCH + magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-01T00:00:00Z
    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_hours(490_896)
    }

    fn names_of_service() -> Vec<String> {
        ["spiderpool-controller.spiderpool.svc", "127.0.0.1", "::1"].map(str::to_owned).to_vec()
    }

    #[test]
    fn a_leaf_has_its_names_its_life_and_its_signer() {
        let ca = make_authority("railweave", now(), AUTHORITY_VALIDITY).unwrap();
        let leaf = issue_leaf(&ca, &names_of_service(), now(), LEAF_VALIDITY).unwrap();
        assert_eq!(names(&leaf.cert_pem).unwrap(), names_of_service());
        assert_eq!(
            Validity::of(&leaf.cert_pem).unwrap(),
            Validity { not_before: now() - Duration::from_mins(5), not_after: now() + days(90) }
        );
        assert!(is_signed_by(&leaf.cert_pem, &ca.cert_pem).unwrap());
    }

    #[test]
    fn an_authority_of_the_same_name_is_another_one() {
        let ca = make_authority("railweave", now(), AUTHORITY_VALIDITY).unwrap();
        let other = make_authority("railweave", now(), AUTHORITY_VALIDITY).unwrap();
        let leaf = issue_leaf(&ca, &names_of_service(), now(), LEAF_VALIDITY).unwrap();
        assert!(!is_signed_by(&leaf.cert_pem, &other.cert_pem).unwrap());
        let bundle = format!("{}{}", other.cert_pem, ca.cert_pem);
        assert!(is_signed_by(&leaf.cert_pem, &bundle).unwrap(), "any CA of a bundle counts");
    }

    #[test]
    fn two_thirds_of_the_life_are_enough() {
        let validity = Validity { not_before: now(), not_after: now() + days(90) };
        assert!(!validity.due(now() + days(60) - Duration::from_secs(1)));
        assert!(validity.due(now() + days(60)));
    }

    #[test]
    fn the_state_of_a_certificate_is_told_in_words() {
        let validity = Validity { not_before: now(), not_after: now() + days(90) };
        let cases = [
            (now() - days(1), false, "not valid yet; check the clock"),
            (now(), true, "valid for 90 more days"),
            (now() + days(90), true, "valid for 0 more days"),
            (now() + days(93), false, "expired 3 days ago"),
        ];
        for (at, holds, text) in cases {
            assert_eq!(validity.describe(at), (holds, text.to_owned()));
            assert_eq!(validity.holds(at), holds);
        }
    }

    #[test]
    fn text_without_a_certificate_is_refused() {
        assert!(matches!(Validity::of("hello"), Err(CertificateError::Pem(_))));
    }
}
