//! Whose token a data plane sent: the API server is asked (TokenReview), and its word is kept for a
//! minute.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cause::ObjectName;
use delivery::{Authenticate, Identity, Reviewed, Unauthenticated};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use kube::api::PostParams;
use kube::{Api, Client};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::provision;

/// Whom the tokens of data planes are for.
pub const AUDIENCE: &str = "doorward";

/// How long a word is kept: a pod that is gone may come back with its token for so long.
const KEPT: Duration = Duration::from_secs(60);
/// How often the token of a stream is reviewed again: so long a pod that is gone, or whose account is, may go on. A token
/// ends after an hour, and the stream with it.
const AGAIN: Duration = Duration::from_secs(5 * 60);
/// Words that are kept at once.
const MOST: usize = 4_096;
/// The longest token that is asked about, in bytes; the API server's are below 2 KiB.
const LONGEST: usize = 8 * 1024;
/// The API server's time for a word.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reviews tokens by the API server.
#[derive(Debug)]
pub struct TokenReviews {
    reviews: Api<TokenReview>,
    kept: Mutex<Kept>,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("words", &self.words.len()).finish()
    }
}

impl TokenReviews {
    /// Asks by this client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { reviews: Api::all(client), kept: Mutex::default() }
    }

    async fn review(&self, token: &str) -> Result<Identity, Unauthenticated> {
        if token.is_empty() || token.len() > LONGEST {
            return Err(Unauthenticated::Refused("no token has this length".to_owned()));
        }
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        if let Some(identity) = self.kept(|kept| kept.find(&digest, Instant::now())) {
            return Ok(identity);
        }
        let spec = TokenReviewSpec { token: token.to_owned(), audiences: Some(vec![AUDIENCE.to_owned()]) };
        let asked = TokenReview { spec, ..TokenReview::default() };
        let params = PostParams::default();
        let answer = tokio::time::timeout(PATIENCE, self.reviews.create(&params, &asked)).await;
        let answer = answer
            .map_err(|_| Unauthenticated::Unavailable("the API server does not answer".to_owned()))?
            .map_err(|error| Unauthenticated::Unavailable(error.to_string()))?;
        let identity = judge(&answer)?;
        self.kept(|kept| kept.keep(digest, identity.clone(), Instant::now()));
        Ok(identity)
    }

    fn kept<T>(&self, act: impl FnOnce(&mut Kept) -> T) -> T {
        // Nothing panics while it is held, and words that are kept are whole at any time.
        act(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Authenticate for TokenReviews {
    fn authenticate<'a>(&'a self, token: &'a str) -> Reviewed<'a> {
        Box::pin(self.review(token))
    }

    fn again(&self) -> Duration {
        AGAIN
    }

    fn service_account(&self, gateway: &ObjectName) -> String {
        provision::child_name(gateway)
    }
}

/// What the API server's answer says: only a pod's token for our audience has an identity.
fn judge(answer: &TokenReview) -> Result<Identity, Unauthenticated> {
    let refused = |why: &str| Unauthenticated::Refused(why.to_owned());
    let Some(status) = &answer.status else {
        return Err(Unauthenticated::Unavailable("the API server gave no answer".to_owned()));
    };
    if status.authenticated != Some(true) {
        return Err(refused(status.error.as_deref().unwrap_or("it is not valid")));
    }
    // An authenticator that knows no audiences leaves them out; such a token could be anybody's.
    if !status.audiences.iter().flatten().any(|audience| audience == AUDIENCE) {
        return Err(refused("it is not for audience `doorward`"));
    }
    let user = status.user.as_ref().ok_or_else(|| refused("it is nobody's"))?;
    identity(user).ok_or_else(|| refused("it is not bound to a pod"))
}

fn identity(user: &UserInfo) -> Option<Identity> {
    let account = user.username.as_deref()?.strip_prefix("system:serviceaccount:")?;
    let (namespace, service_account) = account.split_once(':')?;
    let extra = |name: &str| user.extra.as_ref()?.get(name)?.first().map(String::as_str);
    Some(Identity {
        namespace: namespace.into(),
        service_account: service_account.into(),
        pod_name: extra("authentication.kubernetes.io/pod-name")?.into(),
        pod_uid: extra("authentication.kubernetes.io/pod-uid")?.into(),
    })
}

/// Words that are kept, by the digest of the token.
#[derive(Default)]
struct Kept {
    words: BTreeMap<[u8; 32], (Identity, Instant)>,
}

impl Kept {
    fn find(&mut self, digest: &[u8; 32], now: Instant) -> Option<Identity> {
        let (identity, until) = self.words.get(digest)?;
        (now < *until).then(|| identity.clone())
    }

    fn keep(&mut self, digest: [u8; 32], identity: Identity, now: Instant) {
        if self.words.len() >= MOST {
            self.words.retain(|_, (_, until)| now < *until);
        }
        if self.words.len() < MOST {
            self.words.insert(digest, (identity, now + KEPT));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn answer(change: impl Fn(&mut Value)) -> TokenReview {
        let mut answer = json!({
            "spec": {},
            "status": {
                "authenticated": true,
                "audiences": ["doorward"],
                "user": {
                    "username": "system:serviceaccount:shop:web-doorward",
                    "extra": {
                        "authentication.kubernetes.io/pod-name": ["web-doorward-1"],
                        "authentication.kubernetes.io/pod-uid": ["uid-1"],
                    },
                },
            },
        });
        change(&mut answer["status"]);
        serde_json::from_value(answer).unwrap()
    }

    #[test]
    fn only_tokens_of_pods_for_us_have_an_identity() {
        fn check(change: impl Fn(&mut Value), expected: Result<(), &str>) {
            let judged = judge(&answer(change)).map(|identity| {
                assert_eq!((&*identity.namespace, &*identity.service_account), ("shop", "web-doorward"));
                assert_eq!((&*identity.pod_name, &*identity.pod_uid), ("web-doorward-1", "uid-1"));
            });
            assert_eq!(judged.map_err(|error| error.to_string()), expected.map_err(|why| format!("the token {why}")));
        }
        check(|_| {}, Ok(()));
        check(|status| status["authenticated"] = json!(false), Err("is not accepted: it is not valid"));
        let expired = |status: &mut Value| *status = json!({"error": "token has expired"});
        check(expired, Err("is not accepted: token has expired"));
        check(|status| status["audiences"] = json!(["vault"]), Err("is not accepted: it is not for audience `doorward`"));
        check(|status| status["audiences"] = Value::Null, Err("is not accepted: it is not for audience `doorward`"));
        check(|status| status["user"]["extra"] = Value::Null, Err("is not accepted: it is not bound to a pod"));
        check(|status| status["user"]["username"] = json!("alice"), Err("is not accepted: it is not bound to a pod"));
        check(|status| *status = Value::Null, Err("cannot be reviewed now: the API server gave no answer"));
    }

    #[tokio::test(start_paused = true)]
    async fn words_are_kept_for_a_minute_and_bounded() {
        let mut kept = Kept::default();
        let identity = judge(&answer(|_| {})).unwrap();
        let digest = |number: usize| {
            let mut digest = [0; 32];
            digest[..8].copy_from_slice(&number.to_be_bytes());
            digest
        };
        let start = Instant::now();
        kept.keep(digest(0), identity.clone(), start);
        assert_eq!(kept.find(&digest(0), start + Duration::from_secs(59)), Some(identity.clone()));
        assert_eq!(kept.find(&digest(0), start + Duration::from_secs(60)), None);
        assert_eq!(kept.find(&digest(1), start), None);
        for number in 1..MOST + 10 {
            kept.keep(digest(number), identity.clone(), start + Duration::from_secs(1));
        }
        assert_eq!(kept.words.len(), MOST);
        kept.keep(digest(MOST + 10), identity, start + Duration::from_secs(61));
        assert_eq!(kept.words.len(), 1);
    }
}
