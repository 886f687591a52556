//! Reading Secrets and ConfigMaps. No fault repeats a value.

use std::collections::BTreeMap;
use std::sync::Arc;

use cause::{FaultCause, ObjectName, ObjectRef};
use crds::standard::{ConfigMap, Secret};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::world::{Found, Missing, World};

/// The text that a reference names, or that it is said to exist elsewhere.
#[derive(Debug)]
pub(crate) enum Text {
    /// The text.
    Known(String),
    /// It exists, and is not known here.
    Assumed,
}

/// The Secret of this name.
pub(crate) fn secret<'a>(world: &World<'a>, name: &ObjectName) -> Result<Found<'a, Secret>, FaultCause> {
    let found = world.find(&world.manifests.secrets, "Secret", name);
    if matches!(found, Err(Missing::Absent(_))) && world.context.outline(name).is_some() {
        return Ok(Found::Assumed);
    }
    found.map_err(|missing| missing.into_cause_as(ObjectRef::new("Secret", name.clone()), FaultCause::SecretNotFound))
}

/// One key of a Secret.
pub(crate) fn secret_text(world: &World<'_>, name: &ObjectName, key: &str) -> Result<Text, FaultCause> {
    match secret(world, name)? {
        Found::Here(secret) => required_text(secret, name, key).map(Text::Known),
        Found::Assumed => Ok(Text::Assumed),
    }
}

/// A key that a Secret must have, as text.
pub(crate) fn required_text(secret: &Secret, name: &ObjectName, key: &str) -> Result<String, FaultCause> {
    let target = || ObjectRef::new("Secret", name.clone());
    match value(secret, key) {
        Some(bytes) => String::from_utf8(bytes)
            .map_err(|_| FaultCause::SecretInvalid { target: target(), reason: format!("`{key}` is not UTF-8").into() }),
        None => Err(FaultCause::SecretKeyMissing { target: target(), key: key.into(), known: keys(secret) }),
    }
}

/// The bytes of a key; `stringData` is merged over `data`, as an API server does.
pub(crate) fn value(secret: &Secret, key: &str) -> Option<Vec<u8>> {
    let plain = secret.string_data.as_ref().and_then(|texts| texts.get(key)).map(|text| text.clone().into_bytes());
    plain.or_else(|| secret.data.as_ref().and_then(|values| values.get(key)).map(|bytes| bytes.0.clone()))
}

/// The names of a Secret's keys.
pub(crate) fn keys(secret: &Secret) -> Vec<Arc<str>> {
    let plain = secret.string_data.iter().flat_map(BTreeMap::keys);
    let encoded = secret.data.iter().flat_map(BTreeMap::keys);
    let mut names: Vec<Arc<str>> = plain.chain(encoded).map(|name| name.as_str().into()).collect();
    names.sort();
    names.dedup();
    names
}

/// One key of a ConfigMap.
pub(crate) fn config_map_text(world: &World<'_>, name: &ObjectName, key: &str) -> Result<Text, FaultCause> {
    let target = || ObjectRef::new("ConfigMap", name.clone());
    let found = world.find(&world.manifests.config_maps, "ConfigMap", name).map_err(|missing| missing.into_cause(target()))?;
    match found {
        Found::Assumed => Ok(Text::Assumed),
        Found::Here(map) => match config_map_value(map, key) {
            Some(Ok(text)) => Ok(Text::Known(text)),
            Some(Err(_)) => Err(FaultCause::SecretInvalid { target: target(), reason: format!("`{key}` is not UTF-8").into() }),
            None => {
                let known = map.data.iter().flat_map(BTreeMap::keys).map(|name| name.as_str().into()).collect();
                Err(FaultCause::SecretKeyMissing { target: target(), key: key.into(), known })
            }
        },
    }
}

fn config_map_value(map: &ConfigMap, key: &str) -> Option<Result<String, std::string::FromUtf8Error>> {
    if let Some(text) = map.data.as_ref().and_then(|texts| texts.get(key)) {
        return Some(Ok(text.clone()));
    }
    map.binary_data.as_ref().and_then(|values| values.get(key)).map(|bytes| String::from_utf8(bytes.0.clone()))
}

/// Whether a text holds at least one certificate in PEM, and nothing broken.
pub(crate) fn holds_certificates(pem: &str) -> Result<(), &'static str> {
    let mut count = 0_usize;
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        certificate.map_err(|_| "its PEM is broken")?;
        count += 1;
    }
    if count == 0 { Err("it holds no certificate in PEM") } else { Ok(()) }
}
