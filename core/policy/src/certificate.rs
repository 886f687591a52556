//! A certificate and its key, as a TLS handshake shows them.

use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// A chain and the key of its first certificate, both in PEM.
///
/// # Errors
/// Why no handshake can show them, by the keys of a Secret of type `kubernetes.io/tls`.
pub fn certified(chain: &str, key: &str) -> Result<CertifiedKey, &'static str> {
    let chain: Result<Vec<CertificateDer<'static>>, _> = CertificateDer::pem_slice_iter(chain.as_bytes()).collect();
    let chain = chain.map_err(|_| "`tls.crt`: its PEM is broken")?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| "`tls.key`: it holds no private key in PEM")?;
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key)
        .map_err(|_| "`tls.key`: it cannot be read, or is of a kind or size that TLS does not take")?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) => Ok(certified),
        Err(rustls::Error::InconsistentKeys(_)) => Err("`tls.key` is not the key of the first certificate of `tls.crt`"),
        Err(_) => Err("`tls.crt`: its first certificate cannot be read"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAIN: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBYTCCAROgAwIBAgIUBuxxjH5iSaDbhKMmfaNcyZcIAXMwBQYDK2VwMBgxFjAU\n\
BgNVBAMMDWEuZXhhbXBsZS5jb20wIBcNMjYxMTMwMjE0OTQxWhgPMjEyNjExMDYy\n\
MTQ5NDFaMBgxFjAUBgNVBAMMDWEuZXhhbXBsZS5jb20wKjAFBgMrZXADIQCOpuGo\n\
wlIkqChPfvT00NJahZX53CF0gHr19zdZetbqUKNtMGswHQYDVR0OBBYEFBQjwJt/\n\
h/dk17lpGCu9NRxxIjfoMB8GA1UdIwQYMBaAFBQjwJt/h/dk17lpGCu9NRxxIjfo\n\
MA8GA1UdEwEB/wQFMAMBAf8wGAYDVR0RBBEwD4INYS5leGFtcGxlLmNvbTAFBgMr\n\
ZXADQQDFrHEuKURQwusvkHSkVqqR4EUcf0YDb6wg5UufLqe6HDTukCCIHSpugQgW\n\
HGcfpqRv4tb8JTORsSA5jTwn+A0G\n\
-----END CERTIFICATE-----\n\n";
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
MC4CAQAwBQYDK2VwBCIEIBH2wBJYAlOfUfzBKUPl2P8Y0Aca6WMyn2U4tE52Pf2u\n\
-----END PRIVATE KEY-----\n\n";
    const OTHER_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
MC4CAQAwBQYDK2VwBCIEIIA0cOTdaxxLxx0k4QoMBPUp+y7j1ywC/BuOvIt6nE9x\n\
-----END PRIVATE KEY-----\n\n";

    #[test]
    fn a_certificate_is_shown_with_its_own_key() {
        let check = |chain: &str, key: &str, expected: Result<(), &str>| {
            let found = certified(chain, key).map(drop);
            assert_eq!(found.is_ok(), expected.is_ok(), "{found:?}");
            if let (Err(found), Err(expected)) = (found, expected) {
                assert!(found.contains(expected), "{found}");
            }
        };
        let no_certificate = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        let no_key = "-----BEGIN PRIVATE KEY-----\nMAEx\n-----END PRIVATE KEY-----\n";
        check(CHAIN, KEY, Ok(()));
        check(&[CHAIN, CHAIN].concat(), KEY, Ok(()));
        check(CHAIN, OTHER_KEY, Err("is not the key"));
        check(no_certificate, KEY, Err("`tls.crt`: its first certificate"));
        check(CHAIN, no_key, Err("`tls.key`: it cannot be read"));
        check(CHAIN, CHAIN, Err("no private key"));
    }
}
