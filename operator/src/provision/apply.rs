//! Making what is there what it should be.

use cause::ObjectName;
use crds::standard::Gateway;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::core::DynamicObject;
use kube::{Api, Client};
use serde_json::Value;
use thiserror::Error;

use super::children::{APPLIED, Child, ChildKind, Surroundings, Wanted, bounds, children};
use super::covers::covers;
use super::live::Live;

/// Who writes these objects, to the API server.
const MANAGER: &str = "doorward-provision";

/// What keeps a Gateway from having all that it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// An object of this kind and name is somebody else's.
    Taken {
        /// Its kind.
        kind: ChildKind,
        /// Its name.
        name: ObjectName,
    },
    /// An object of a Gateway of this name that was deleted is still there; its end is an event.
    Leaving {
        /// Its kind.
        kind: ChildKind,
        /// Its name.
        name: ObjectName,
    },
    /// The API server does not take an object.
    Refused {
        /// Its kind.
        kind: ChildKind,
        /// Its name.
        name: ObjectName,
        /// Why.
        why: String,
    },
}

impl Problem {
    /// Whether it keeps the Gateway from its Service, and so from its addresses.
    #[must_use]
    pub const fn is_of_service(&self) -> bool {
        matches!(self, Self::Refused { kind: ChildKind::Service, .. })
    }

    /// The reason of a condition.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Taken { .. } => "NameTaken",
            Self::Leaving { .. } => "Pending",
            Self::Refused { .. } => "Invalid",
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Taken { kind, name } => {
                write!(f, "{kind:?} {name} exists and was not made for this Gateway, so it is not written; rename one of the two")
            }
            Self::Leaving { kind, name } => write!(f, "waiting for {kind:?} {name} of an earlier Gateway of this name to go"),
            Self::Refused { kind, name, why } => write!(f, "{kind:?} {name} is not accepted: {why}"),
        }
    }
}

/// Why it is not known what a Gateway has.
#[derive(Debug, Error)]
pub enum ProvisionError {
    /// The API server did not answer; a later try is safe.
    #[error("{kind:?} {name}")]
    Api {
        /// The kind.
        kind: ChildKind,
        /// The object.
        name: ObjectName,
        /// What went wrong.
        #[source]
        source: Box<kube::Error>,
    },
}

/// Makes the objects of a Gateway what they should be. Writes only what differs from `live`, and
/// takes away what the Gateway does not ask for any more. What keeps it from that is returned.
///
/// # Errors
/// The API server did not answer.
pub async fn reconcile(
    client: &Client,
    live: &Live,
    gateway: &Gateway,
    (wanted, around): (&Wanted<'_>, &Surroundings),
) -> Result<Vec<Problem>, ProvisionError> {
    let Some(children) = children(gateway, wanted, around) else { return Ok(Vec::new()) };
    let Some(uid) = gateway.metadata.uid.as_deref() else { return Ok(Vec::new()) };
    let mut problems = Vec::new();
    for child in &children {
        let there = live.get(child.kind, &child.name);
        if !is_kept_up(child.kind, there.is_some(), wanted) {
            continue;
        }
        let child = &with_replicas(child, there, wanted);
        match judge(there, child, uid) {
            Judged::Same => {}
            Judged::Differs => problems.extend(apply(client, child).await?),
            Judged::Absent => problems.extend(make(client, child, uid).await?),
            Judged::Taken => problems.push(Problem::Taken { kind: child.kind, name: child.name.clone() }),
            Judged::Leaving => problems.push(Problem::Leaving { kind: child.kind, name: child.name.clone() }),
        }
    }
    let own = children.first().map(|child| &child.name);
    for (kind, name, value) in superfluous(live, &children, own, uid).into_iter().filter(|_| wanted.is_accepted) {
        delete(client, kind, name, value).await?;
    }
    Ok(problems)
}

/// Whether a child is made what it should be. A Gateway that is refused is made nothing, and what it has stays as it is: it
/// was made of what was accepted. Whom to trust is no word of the Gateway, and without it its pods would hear of nothing.
fn is_kept_up(kind: ChildKind, is_there: bool, wanted: &Wanted<'_>) -> bool {
    wanted.is_accepted || (is_there && kind == ChildKind::ConfigMap)
}

/// Takes away everything that is there of a Gateway, which is not ours any more.
///
/// # Errors
/// The API server did not answer.
pub async fn withdraw(client: &Client, live: &Live, gateway: &ObjectName) -> Result<(), ProvisionError> {
    for (kind, name, value) in live.of(gateway) {
        if value.pointer("/metadata/deletionTimestamp").is_none() {
            delete(client, kind, name, value).await?;
        }
    }
    Ok(())
}

/// What a Gateway had and does not ask for any more. A Service stays, so that a port that is mended
/// finds its address again.
fn superfluous<'a>(
    live: &'a Live,
    children: &[Child],
    own: Option<&ObjectName>,
    uid: &str,
) -> Vec<(ChildKind, &'a ObjectName, &'a Value)> {
    let kinds = [ChildKind::HorizontalPodAutoscaler, ChildKind::NetworkPolicy];
    let unasked = kinds.into_iter().filter(|kind| children.iter().all(|child| child.kind != *kind));
    let there = unasked.filter_map(|kind| live.entry(kind, own?).map(|(name, value)| (kind, name, value)));
    there.filter(|(_, _, value)| is_of(value, uid) && value.pointer("/metadata/deletionTimestamp").is_none()).collect()
}

/// What is to be done about a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judged {
    Same,
    Differs,
    Absent,
    Taken,
    Leaving,
}

fn judge(there: Option<&Value>, child: &Child, uid: &str) -> Judged {
    let Some(there) = there else { return Judged::Absent };
    if !is_of(there, uid) {
        let earlier = owner(there).is_some_and(|name| Some(name) == owner(&child.value));
        return if earlier { Judged::Leaving } else { Judged::Taken };
    }
    if there.pointer("/metadata/deletionTimestamp").is_some() {
        return Judged::Leaving;
    }
    // What is wanted covers what was; the annotation tells of what is wanted no longer.
    if covers(there, &child.value) { Judged::Same } else { Judged::Differs }
}

/// Kind and name of the owner that controls an object.
fn owner(object: &Value) -> Option<(&str, &str)> {
    let owner = controller(object)?;
    Some((owner.get("kind")?.as_str()?, owner.get("name")?.as_str()?))
}

/// The owner that controls an object.
pub(super) fn controller(object: &Value) -> Option<&Value> {
    let mut owners = object.pointer("/metadata/ownerReferences")?.as_array()?.iter();
    owners.find(|owner| owner.get("controller").and_then(Value::as_bool) == Some(true))
}

fn is_of(object: &Value, uid: &str) -> bool {
    controller(object).and_then(|owner| owner.get("uid")).and_then(Value::as_str) == Some(uid)
}

/// A Deployment whose replicas follow the load keeps the number that it has: saying nothing would
/// mean one.
fn with_replicas(child: &Child, there: Option<&Value>, wanted: &Wanted<'_>) -> Child {
    let mut child = child.clone();
    let autoscaling = wanted.deployment.and_then(|deployment| deployment.autoscaling.as_ref());
    if let (ChildKind::Deployment, Some(autoscaling)) = (child.kind, autoscaling) {
        let (least, most) = bounds(autoscaling);
        let now = there.and_then(|there| there.pointer("/spec/replicas")).and_then(Value::as_i64);
        let replicas = now.map_or(least.into(), |now| now.clamp(least.into(), most.into()));
        if let Some(spec) = child.value.get_mut("spec").and_then(Value::as_object_mut) {
            spec.insert("replicas".to_owned(), replicas.into());
        }
    }
    child
}

fn api(client: &Client, child: (ChildKind, &ObjectName)) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), &child.1.namespace, &child.0.resource())
}

fn failed((kind, name): (ChildKind, &ObjectName), source: kube::Error) -> ProvisionError {
    ProvisionError::Api { kind, name: name.clone(), source: Box::new(source) }
}

/// Makes an object that is not known. One that is there all the same is somebody else's, or was made
/// a moment ago.
async fn make(client: &Client, child: &Child, uid: &str) -> Result<Option<Problem>, ProvisionError> {
    let key = (child.kind, &child.name);
    let found = api(client, key).get_opt(&child.name.name).await.map_err(|error| failed(key, error))?;
    let found = found.and_then(|object| serde_json::to_value(object).ok());
    match judge(found.as_ref(), child, uid) {
        Judged::Absent | Judged::Differs => apply(client, child).await,
        Judged::Same => Ok(None),
        Judged::Taken => Ok(Some(Problem::Taken { kind: child.kind, name: child.name.clone() })),
        Judged::Leaving => Ok(Some(Problem::Leaving { kind: child.kind, name: child.name.clone() })),
    }
}

async fn apply(client: &Client, child: &Child) -> Result<Option<Problem>, ProvisionError> {
    let key = (child.kind, &child.name);
    let params = PatchParams::apply(MANAGER).force();
    match api(client, key).patch(&child.name.name, &params, &Patch::Apply(&child.value)).await {
        Ok(_) => {
            tracing::info!(kind = ?child.kind, name = %child.name, applied = ?applied(&child.value), "written for a Gateway");
            Ok(None)
        }
        // What a user asked for can be refused: labels, amounts, a quota, an admission policy.
        Err(kube::Error::Api(status)) if matches!(status.code, 400 | 403 | 409 | 422) => {
            Ok(Some(Problem::Refused { kind: child.kind, name: child.name.clone(), why: status.message.clone() }))
        }
        Err(error) => Err(failed(key, error)),
    }
}

fn applied(value: &Value) -> Option<&str> {
    value.get("metadata")?.get("annotations")?.get(APPLIED)?.as_str()
}

async fn delete(client: &Client, kind: ChildKind, name: &ObjectName, value: &Value) -> Result<(), ProvisionError> {
    let uid = value.pointer("/metadata/uid").and_then(Value::as_str).map(str::to_owned);
    let preconditions = Preconditions { uid, resource_version: None };
    let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::background() };
    match api(client, (kind, name)).delete(&name.name, &params).await {
        Ok(_) => Ok(()),
        // It is gone, or another one is there now.
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(()),
        Err(error) => Err(failed((kind, name), error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crds::v1alpha1 as written;
    use serde_json::json;
    use std::time::Duration;

    fn around() -> Surroundings {
        Surroundings {
            image: super::super::Image { reference: "doorward:1".into(), pull_policy: None, pull_secrets: Vec::new() },
            stream: "https://doorward-operator.system.svc:9092".into(),
            bundle: "pem".into(),
        }
    }

    fn gateway() -> Gateway {
        serde_json::from_value(json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": {"name": "web", "namespace": "shop", "uid": "uid-1"},
            "spec": {"gatewayClassName": "doorward", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
        }))
        .unwrap()
    }

    fn of(kind: ChildKind, deployment: Option<&written::Deployment>) -> Option<Child> {
        let wanted = Wanted { deployment, drain: Duration::from_secs(30), ingress_tls: None, is_accepted: true };
        children(&gateway(), &wanted, &around()).unwrap().into_iter().find(|child| child.kind == kind)
    }

    #[test]
    fn what_is_there_is_judged_by_its_owner_and_by_what_it_says() {
        fn check(change: impl Fn(&mut Value), expected: Judged) {
            let child = of(ChildKind::Deployment, None).unwrap();
            let mut there = child.value.clone();
            change(&mut there);
            assert_eq!(judge(Some(&there), &child, "uid-1"), expected);
        }
        assert_eq!(judge(None, &of(ChildKind::Service, None).unwrap(), "uid-1"), Judged::Absent);
        check(|_| {}, Judged::Same);
        // Defaults of the API server, and what `kubectl rollout restart` writes.
        let others = |there: &mut Value| {
            there["spec"]["revisionHistoryLimit"] = json!(10);
            there["spec"]["template"]["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/restartedAt": "now"});
            there["spec"]["template"]["spec"]["containers"][0]["terminationMessagePath"] = json!("/dev/termination-log");
            there["status"] = json!({"readyReplicas": 1});
        };
        check(others, Judged::Same);
        check(|there| there["spec"]["replicas"] = json!(7), Judged::Differs);
        check(|there| there["metadata"]["annotations"][APPLIED] = json!("earlier"), Judged::Differs);
        check(|there| there["spec"]["template"]["spec"]["containers"][0]["image"] = json!("other"), Judged::Differs);
        check(|there| there["metadata"]["ownerReferences"] = json!(null), Judged::Taken);
        check(|there| there["metadata"]["ownerReferences"][0]["controller"] = json!(false), Judged::Taken);
        check(|there| there["metadata"]["ownerReferences"][0]["uid"] = json!("uid-0"), Judged::Leaving);
        let other = |there: &mut Value| {
            there["metadata"]["ownerReferences"][0]["uid"] = json!("uid-0");
            there["metadata"]["ownerReferences"][0]["name"] = json!("other");
        };
        check(other, Judged::Taken);
        check(|there| there["metadata"]["deletionTimestamp"] = json!("now"), Judged::Leaving);
    }

    #[test]
    fn a_gateway_that_is_refused_is_made_nothing_and_keeps_what_it_has() {
        let check = |is_accepted: bool, is_there: bool, expected: &[ChildKind]| {
            let wanted = Wanted { deployment: None, drain: Duration::ZERO, ingress_tls: None, is_accepted };
            let kept: Vec<_> = ChildKind::ALL.into_iter().filter(|kind| is_kept_up(*kind, is_there, &wanted)).collect();
            assert_eq!(kept, expected, "{is_accepted} {is_there}");
        };
        check(true, false, &ChildKind::ALL);
        check(true, true, &ChildKind::ALL);
        check(false, false, &[]);
        check(false, true, &[ChildKind::ConfigMap]);
    }

    #[test]
    fn replicas_that_follow_the_load_are_left_alone_within_their_bounds() {
        let autoscaling = written::Autoscaling { min_replicas: Some(2), max_replicas: 5, target_cpu_utilization: None };
        let deployment = written::Deployment { autoscaling: Some(autoscaling), ..written::Deployment::default() };
        let child = of(ChildKind::Deployment, Some(&deployment)).unwrap();
        assert_eq!(child.value.pointer("/spec/replicas"), None);
        let check = |there: Option<i64>, expected: i64| {
            let there = there.map(|replicas| json!({"spec": {"replicas": replicas}}));
            let wanted = Wanted { deployment: Some(&deployment), drain: Duration::ZERO, ingress_tls: None, is_accepted: true };
            let child = with_replicas(&child, there.as_ref(), &wanted);
            assert_eq!(child.value.pointer("/spec/replicas"), Some(&json!(expected)));
        };
        check(None, 2);
        check(Some(1), 2);
        check(Some(4), 4);
        check(Some(9), 5);
    }

    #[tokio::test]
    async fn what_a_gateway_had_goes_when_it_is_another_controllers() {
        use kube::runtime::watcher::Event;

        let (client, log) = crate::stand::client(|_| (200, json!({"kind": "Status", "apiVersion": "v1", "metadata": {}}))).await;
        let mut live = Live::default();
        let object = |kind: ChildKind, gateway: &str, uid: &str, is_ending: bool| {
            let mut object = json!({
                "apiVersion": kind.resource().api_version, "kind": kind.resource().kind,
                "metadata": {
                    "name": format!("{gateway}-doorward"), "namespace": "shop", "uid": uid,
                    "ownerReferences": [{"apiVersion": "x", "kind": "Gateway", "name": gateway, "uid": "u", "controller": true}],
                },
            });
            if is_ending {
                object["metadata"]["deletionTimestamp"] = json!("2026-06-01T12:00:00Z");
            }
            serde_json::from_value(object).unwrap()
        };
        for (kind, gateway, uid, is_ending) in [
            (ChildKind::Deployment, "web", "1", false),
            (ChildKind::Service, "web", "2", false),
            (ChildKind::ConfigMap, "web", "3", true),
            (ChildKind::Service, "other", "4", false),
        ] {
            live.note(super::super::News::of(kind, Event::Apply(object(kind, gateway, uid, is_ending))));
        }
        withdraw(&client, &live, &ObjectName::new("shop", "web")).await.unwrap();
        let mut asked = log.take();
        asked.sort_by(|one, other| one.1.cmp(&other.1));
        let told: Vec<(&str, &str, Option<&str>)> = asked
            .iter()
            .map(|(method, path, body)| (&**method, &**path, body.pointer("/preconditions/uid").and_then(Value::as_str)))
            .collect();
        let expected = [
            ("DELETE", "/api/v1/namespaces/shop/services/web-doorward", Some("2")),
            ("DELETE", "/apis/apps/v1/namespaces/shop/deployments/web-doorward", Some("1")),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn problems_say_what_to_do() {
        let name = ObjectName::new("shop", "web-doorward");
        let taken = Problem::Taken { kind: ChildKind::Service, name };
        assert_eq!(taken.reason(), "NameTaken");
        let text =
            "Service shop/web-doorward exists and was not made for this Gateway, so it is not written; rename one of the two";
        assert_eq!(taken.to_string(), text);
    }
}
