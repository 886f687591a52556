//! Resources as bytes: CBOR (RFC 8949), which names its fields, so that operator and data plane may be of
//! neighbouring versions during an upgrade.
//!
//! A field that is new may be absent when it is read (`serde(default)`); a field that is *not known* when it is read
//! refuses its resource, because a check that is skipped would be an open door. [`decode`] finds such fields by writing
//! the value again.

use std::fmt;

use bytes::Bytes;
use ciborium::Value;
use ir::{Resource, ResourceId};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// The version of a resource: 128 bits of the hash of its bytes. It says nothing of when, so any operator can
/// tell what a replica lacks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Version([u8; 16]);

impl Version {
    fn of(bytes: &[u8]) -> Self {
        Self(first_half(Sha256::digest(bytes).into()))
    }

    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(crate) fn bytes(self) -> Bytes {
        Bytes::copy_from_slice(&self.0)
    }
}

impl From<[u8; 16]> for Version {
    fn from(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl From<Version> for [u8; 16] {
    fn from(version: Version) -> Self {
        version.0
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The state of a whole Gateway: equal on all operators that have the same versions of the same resources.
pub(crate) type Digest = Version;

/// The digest of versions in the order of their resources. Ids are in the bytes that the versions are of.
pub(crate) fn digest(versions: impl Iterator<Item = Version>) -> Digest {
    let mut hash = Sha256::new();
    for version in versions {
        hash.update(version.0);
    }
    Version(first_half(hash.finalize().into()))
}

const fn first_half(hash: [u8; 32]) -> [u8; 16] {
    let (half, _) = hash.split_at(16);
    let mut first = [0; 16];
    first.copy_from_slice(half);
    first
}

/// One resource as it travels.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Encoded {
    pub(crate) id: Bytes,
    pub(crate) version: Version,
    pub(crate) value: Bytes,
}

/// Why a resource cannot be sent or taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EncodingError {
    #[error("it cannot be written: {0}")]
    Unwritable(String),
    #[error("this version of the data plane cannot read it: {0}")]
    Unreadable(String),
    #[error("this version of the data plane does not know `{0}`")]
    Unknown(String),
    #[error("its name and its content differ")]
    Misnamed,
}

pub(crate) fn encode(resource: &Resource) -> Result<Encoded, EncodingError> {
    let value = written(resource)?;
    Ok(Encoded { id: written(&resource.id())?, version: Version::of(&value), value })
}

pub(crate) fn encode_id(id: &ResourceId) -> Result<Bytes, EncodingError> {
    written(id)
}

pub(crate) fn decode_id(id: &[u8]) -> Result<ResourceId, EncodingError> {
    ciborium::from_reader(id).map_err(|error| EncodingError::Unreadable(error.to_string()))
}

/// The resource of `id`, if all of it is understood.
pub(crate) fn decode(id: &ResourceId, value: &[u8]) -> Result<Resource, EncodingError> {
    let unreadable = |error: ciborium::de::Error<std::io::Error>| EncodingError::Unreadable(error.to_string());
    let resource: Resource = ciborium::from_reader(value).map_err(unreadable)?;
    if resource.id() != *id {
        return Err(EncodingError::Misnamed);
    }
    let again = written(&resource)?;
    if again == value {
        return Ok(resource);
    }
    let sent: Value = ciborium::from_reader(value).map_err(unreadable)?;
    let read: Value = ciborium::from_reader(&*again).map_err(unreadable)?;
    match unknown(&sent, &read) {
        Some(field) => Err(EncodingError::Unknown(field)),
        None => Ok(resource),
    }
}

fn written(value: &impl Serialize) -> Result<Bytes, EncodingError> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).map_err(|error| EncodingError::Unwritable(error.to_string()))?;
    Ok(bytes.into())
}

/// The first field that was sent, says something, and was not read.
fn unknown(sent: &Value, read: &Value) -> Option<String> {
    match (sent, read) {
        (Value::Map(sent), Value::Map(read)) => {
            sent.iter().find_map(|(key, value)| match read.iter().find(|(known, _)| known == key) {
                Some((_, known)) => unknown(value, known),
                None if says_nothing(value) => None,
                None => Some(key.as_text().map_or_else(|| "a key".to_owned(), str::to_owned)),
            })
        }
        (Value::Array(sent), Value::Array(read)) => sent.iter().zip(read).find_map(|(sent, read)| unknown(sent, read)),
        _ => None,
    }
}

/// Whether a field asks for nothing, so that whoever does not know it misses nothing.
fn says_nothing(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty) || value.as_map().is_some_and(Vec::is_empty)
}

#[cfg(test)]
mod tests;
