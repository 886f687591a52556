//! Certificates of the config stream: the authority's own, and those that operators show. Times and
//! keys come in or are made; nothing here is stored.

use std::time::Duration;

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SerialNumber, date_time_ymd,
};
use thiserror::Error;
use x509_parser::parse_x509_certificate;
use x509_parser::pem::parse_x509_pem;
use zeroize::Zeroizing;

/// Clocks of a cluster may differ by this much.
const SKEW: Duration = Duration::from_secs(5 * 60);
/// Octets of a serial number, of which the first bit is 0 (RFC 5280 section 4.1.2.2).
const SERIAL: usize = 16;

/// Why there is no certificate.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// Keys or certificates cannot be made, or do not belong together.
    #[error("a certificate cannot be made")]
    Make(#[from] rcgen::Error),
    /// There is no randomness.
    #[error("no randomness for a certificate")]
    Entropy(#[source] getrandom::Error),
    /// A text is no certificate.
    #[error("not a certificate in PEM")]
    Read,
}

/// A certificate and its private key, both in PEM.
#[derive(Clone)]
pub(super) struct Pair {
    /// The certificate.
    pub(super) certificate: String,
    /// The private key (PKCS #8).
    pub(super) key: Zeroizing<String>,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pair").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// From when to when a certificate is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    /// Good from then on.
    pub(super) from: Timestamp,
    /// Good until then.
    pub(super) until: Timestamp,
}

impl Validity {
    /// The time at which two thirds of it are over, which is when what follows is made.
    #[must_use]
    pub(super) fn renewal(&self) -> Timestamp {
        let life = self.until.duration_since(self.from);
        self.from.saturating_add(life * 2 / 3).unwrap_or(self.until)
    }
}

/// A new authority of its own, good for this long.
///
/// # Errors
/// There is no randomness, or the time lies outside of what certificates can say.
pub(super) fn authority(now: Timestamp, life: Duration) -> Result<Pair, CertificateError> {
    let mut params = params(now, life)?;
    params.distinguished_name.push(DnType::CommonName, "Doorward config stream");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate = params.self_signed(&key)?.pem();
    Ok(Pair { certificate, key: Zeroizing::new(key.serialize_pem()) })
}

/// A certificate for a server of these DNS names, by this authority. It never outlives it.
///
/// # Errors
/// As [`authority`], and where the authority's key is not that of its certificate.
pub(super) fn server(authority: &Pair, names: &[String], now: Timestamp, life: Duration) -> Result<Pair, CertificateError> {
    let issuer = Issuer::from_ca_cert_pem(&authority.certificate, KeyPair::from_pem(&authority.key)?)?;
    let left = validity(&authority.certificate)?.until.duration_since(now);
    let life = life.min(Duration::try_from(left).unwrap_or_default());
    let mut params = params(now, life)?;
    params.subject_alt_names = CertificateParams::new(names)?.subject_alt_names;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate = params.signed_by(&key, &issuer)?.pem();
    Ok(Pair { certificate, key: Zeroizing::new(key.serialize_pem()) })
}

fn params(now: Timestamp, life: Duration) -> Result<CertificateParams, CertificateError> {
    let mut serial = [0; SERIAL];
    getrandom::fill(&mut serial).map_err(CertificateError::Entropy)?;
    serial[0] &= 0x7f;
    let now = date_time_ymd(1970, 1, 1) + Duration::from_secs(u64::try_from(now.as_second()).unwrap_or_default());
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.not_before = now - SKEW;
    params.not_after = now + life;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(params)
}

/// From when to when a certificate in PEM is good.
///
/// # Errors
/// It is none.
pub(super) fn validity(pem: &str) -> Result<Validity, CertificateError> {
    let (_, block) = parse_x509_pem(pem.as_bytes()).map_err(|_| CertificateError::Read)?;
    let (_, certificate) = parse_x509_certificate(&block.contents).map_err(|_| CertificateError::Read)?;
    let time = |seconds| Timestamp::from_second(seconds).map_err(|_| CertificateError::Read);
    let validity = certificate.validity();
    Ok(Validity { from: time(validity.not_before.timestamp())?, until: time(validity.not_after.timestamp())? })
}

/// Whether a key is that of an authority's certificate.
#[must_use]
pub(super) fn belong_together(pair: &Pair) -> bool {
    let Ok(key) = KeyPair::from_pem(&pair.key) else { return false };
    let Ok((_, block)) = parse_x509_pem(pair.certificate.as_bytes()) else { return false };
    let Ok((_, certificate)) = parse_x509_certificate(&block.contents) else { return false };
    certificate.public_key().subject_public_key.data == rcgen::PublicKeyData::der_bytes(&key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn certificates_are_good_from_now_on_and_never_longer_than_their_authority() {
        let now = time("2026-06-01T12:00:00Z");
        let root = authority(now, 365 * DAY).unwrap();
        let of = |pair: &Pair| validity(&pair.certificate).unwrap();
        assert_eq!(of(&root), Validity { from: time("2026-06-01T11:55:00Z"), until: time("2027-06-01T12:00:00Z") });
        let names = ["doorward.system.svc".to_owned()];
        let leaf = server(&root, &names, now, 7 * DAY).unwrap();
        assert_eq!(of(&leaf), Validity { from: time("2026-06-01T11:55:00Z"), until: time("2026-06-08T12:00:00Z") });
        assert_eq!(of(&leaf).renewal(), time("2026-06-06T03:58:20Z"));
        let late = server(&root, &names, time("2027-05-31T12:00:00Z"), 7 * DAY).unwrap();
        assert_eq!(of(&late).until, of(&root).until);
        assert!(belong_together(&root) && belong_together(&leaf));
        let mixed = Pair { certificate: root.certificate.clone(), key: leaf.key.clone() };
        assert!(!belong_together(&mixed));
        assert!(server(&Pair { certificate: "none".into(), key: root.key }, &names, now, DAY).is_err());
        assert!(validity("none").is_err());
    }

    #[test]
    fn a_pair_does_not_print_its_key() {
        let root = authority(time("2026-06-01T12:00:00Z"), DAY).unwrap();
        let line = root.key.lines().nth(1).unwrap().to_owned();
        assert!(!format!("{root:?}").contains(&line));
    }
}
