//! Writing last good versions down, and reading them.

use std::collections::BTreeMap;

use crds::standard::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{DeleteParams, ListParams, PostParams, Preconditions};
use kube::{Api, Client, ResourceExt as _};
use sha2::{Digest as _, Sha256};

use super::LastGoodError;
use super::form::{self, LABEL, LONGEST};
use crate::store::{Key, Recalled};

pub use crate::store::Kept;

/// Who writes these Secrets, to the API server.
const MANAGER: &str = "doorward-last-good";
/// The most objects of which a version is kept over a restart.
const MOST: usize = 1_000;
/// Objects in one answer of a list.
const PAGE: u32 = 100;

/// What an operator keeps in the release namespace, as the one that leads.
pub struct Keeper {
    secrets: Api<Secret>,
    namespace: String,
    owner: Option<OwnerReference>,
    /// What lies there; unknown to an operator that did not lead a moment ago.
    there: Option<BTreeMap<Key, There>>,
}

/// One Secret that is there.
struct There {
    /// Its own `metadata.uid`.
    uid: Option<String>,
    /// What it was written for, where this operator wrote it.
    kept: Option<Kept>,
    /// Of what it says.
    digest: Digest,
}

/// SHA-256 of a version and of which object it is.
type Digest = [u8; 32];

fn digest(uid: &str, object: &[u8]) -> Digest {
    Sha256::new().chain_update(uid).chain_update([0]).chain_update(object).finalize().into()
}

/// What is to be done about one object.
enum Step<'a> {
    Put(&'a Key, &'a Kept),
    Delete(Key, Option<String>),
}

impl Keeper {
    /// Of a release namespace. What it writes goes with `owner`.
    #[must_use]
    pub fn new(client: Client, namespace: &str, owner: Option<OwnerReference>) -> Self {
        Self { secrets: Api::namespaced(client, namespace), namespace: namespace.to_owned(), owner, there: None }
    }

    /// Another operator leads, and writes.
    pub fn forget(&mut self) {
        self.there = None;
    }

    /// Makes what lies there what is kept. How many versions are not, because there are too many or they are too long.
    ///
    /// # Errors
    /// The API server does not answer; a later try is safe.
    pub async fn write(&mut self, kept: &BTreeMap<Key, Kept>) -> Result<usize, LastGoodError> {
        if self.there.is_none() {
            self.there = Some(self.list().await?);
        }
        let there = self.there.get_or_insert_default();
        let steps = steps(there, kept);
        let mut lost = kept.len().saturating_sub(MOST);
        for step in steps {
            match step {
                Step::Put(key, version) => match self.put(key, version).await {
                    Ok(()) => {}
                    Err(error @ LastGoodError::TooLong { .. }) => {
                        tracing::warn!(%error, "it is closed when all operators were away");
                        lost += 1;
                    }
                    Err(error) => return Err(error),
                },
                Step::Delete(key, uid) => self.delete(&key, uid).await?,
            }
        }
        Ok(lost)
    }

    async fn list(&self) -> Result<BTreeMap<Key, There>, LastGoodError> {
        let secrets = all(&self.secrets).await.map_err(|error| self.failed(error))?;
        let there = secrets.iter().filter_map(|secret| {
            let recalled = form::read(secret)?;
            let digest = digest(&recalled.uid, recalled.value.to_string().as_bytes());
            Some((recalled.key, There { uid: secret.uid(), kept: None, digest }))
        });
        Ok(there.collect())
    }

    async fn put(&mut self, key: &Key, kept: &Kept) -> Result<(), LastGoodError> {
        let object = kept.value().map(|value| value.to_string().into_bytes()).unwrap_or_default();
        let digest = digest(&kept.uid, &object);
        let there = self.there.get_or_insert_default();
        if let Some(there) = there.get_mut(key).filter(|there| there.digest == digest) {
            // Another operator wrote it down.
            there.kept = Some(kept.clone());
            return Ok(());
        }
        if object.len() > LONGEST {
            there.insert(key.clone(), There { uid: None, kept: Some(kept.clone()), digest });
            return Err(LastGoodError::TooLong { object: key.name.clone(), bytes: object.len(), most: LONGEST });
        }
        let secret = form::secret(key, &kept.uid, object, self.owner.as_ref());
        let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        let written = match self.secrets.create(&params, &secret).await {
            // It is there, with an earlier version; a replacement that names no version takes any one's place.
            Err(kube::Error::Api(status)) if status.code == 409 => self.secrets.replace(&form::name(key), &params, &secret).await,
            written => written,
        };
        let written = written.map_err(|error| self.failed(error))?;
        let there = There { uid: written.uid(), kept: Some(kept.clone()), digest };
        self.there.get_or_insert_default().insert(key.clone(), there);
        Ok(())
    }

    async fn delete(&mut self, key: &Key, uid: Option<String>) -> Result<(), LastGoodError> {
        if uid.is_some() {
            let preconditions = Some(Preconditions { uid, resource_version: None });
            let params = DeleteParams { preconditions, ..DeleteParams::background() };
            match self.secrets.delete(&form::name(key), &params).await {
                Ok(_) => {}
                Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
        self.there.get_or_insert_default().remove(key);
        Ok(())
    }

    fn failed(&self, source: kube::Error) -> LastGoodError {
        LastGoodError::Api { namespace: self.namespace.clone(), source: Box::new(source) }
    }
}

/// From what lies there to what is kept. Of too many, those that lie there stay.
fn steps<'a>(there: &BTreeMap<Key, There>, kept: &'a BTreeMap<Key, Kept>) -> Vec<Step<'a>> {
    let gone = there.iter().filter(|(key, _)| !kept.contains_key(key));
    let mut steps: Vec<Step<'a>> = gone.map(|(key, it)| Step::Delete(key.clone(), it.uid.clone())).collect();
    let mut room = MOST.saturating_sub(there.keys().filter(|key| kept.contains_key(key)).count());
    for (key, version) in kept {
        match there.get(key) {
            Some(There { kept: Some(written), .. }) if written.is_same(version) => {}
            Some(_) => steps.push(Step::Put(key, version)),
            None if room > 0 => {
                room -= 1;
                steps.push(Step::Put(key, version));
            }
            None => {}
        }
    }
    steps
}

async fn all(secrets: &Api<Secret>) -> Result<Vec<Secret>, kube::Error> {
    let mut found = Vec::new();
    let mut params = ListParams::default().labels(&format!("{}={}", LABEL.0, LABEL.1)).limit(PAGE);
    loop {
        let page = secrets.list(&params).await?;
        found.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) if found.len() < MOST => params = params.continue_token(&token),
            Some(_) | None => return Ok(found),
        }
    }
}

/// What earlier operators wrote down in a release namespace.
///
/// # Errors
/// The API server does not answer; a later try is safe. Where it may not be read nothing was written down.
pub async fn recall(client: &Client, namespace: &str) -> Result<Vec<Recalled>, LastGoodError> {
    match all(&Api::namespaced(client.clone(), namespace)).await {
        Ok(secrets) => Ok(secrets.iter().filter_map(form::read).collect()),
        Err(kube::Error::Api(status)) if status.code == 403 => {
            tracing::warn!(why = status.message, "last good versions of an earlier operator cannot be read");
            Ok(Vec::new())
        }
        Err(error) => Err(LastGoodError::Api { namespace: namespace.to_owned(), source: Box::new(error) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Kind;
    use cause::ObjectName;
    use std::sync::Arc;

    fn key(number: usize) -> Key {
        Key::new(Kind::ApiRoute, ObjectName::new("shop", format!("{number:04}")))
    }

    #[test]
    fn only_what_differs_is_written_and_what_lies_there_comes_first() {
        let check = |there: &[(usize, Option<u8>)], kept: &[(usize, u8)], expected: &[&str]| {
            let versions: Vec<Kept> = (0..3).map(|number: u8| Kept::new("u", Arc::new(number))).collect();
            let version = |number: u8| versions[usize::from(number)].clone();
            let there = there.iter().map(|(number, written)| {
                (key(*number), There { uid: Some("u".into()), kept: written.map(&version), digest: [0; 32] })
            });
            let kept = kept.iter().map(|(number, version_number)| (key(*number), version(*version_number))).collect();
            let steps = steps(&there.collect(), &kept);
            let told = steps.iter().map(|step| match step {
                Step::Put(key, _) => format!("put {}", key.name.name),
                Step::Delete(key, _) => format!("delete {}", key.name.name),
            });
            assert_eq!(told.collect::<Vec<_>>(), expected);
        };
        check(&[], &[], &[]);
        check(&[], &[(1, 0)], &["put 0001"]);
        check(&[(1, Some(0))], &[(1, 0)], &[]);
        check(&[(1, Some(0))], &[(1, 1)], &["put 0001"]);
        // Whether another operator wrote this version cannot be told.
        check(&[(1, None)], &[(1, 0)], &["put 0001"]);
        check(&[(1, Some(0)), (2, None)], &[(2, 1)], &["delete 0001", "put 0002"]);
    }

    #[test]
    fn there_is_room_for_a_thousand() {
        let kept: BTreeMap<Key, Kept> = (0..MOST + 5).map(|number| (key(number), Kept::new("u", Arc::new(number)))).collect();
        assert_eq!(steps(&BTreeMap::new(), &kept).len(), MOST);
        let last = key(MOST + 4);
        let there = BTreeMap::from([(last.clone(), There { uid: None, kept: None, digest: [0; 32] })]);
        let steps = steps(&there, &kept);
        assert_eq!(steps.len(), MOST);
        assert!(steps.iter().any(|step| matches!(step, Step::Put(key, _) if **key == last)));
    }
}
