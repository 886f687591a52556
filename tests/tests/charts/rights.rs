//! The operator's roles are what its code lists, whatever namespaces are watched.

use std::collections::BTreeSet;

use operator::permissions::{API_SERVER, CLUSTER, Permission, RELEASE, WATCHED};
use serde_json::Value;
use tests::charts::NAMESPACE;

use super::{OPERATOR, find, made};

/// Each verb on each resource.
type Rights = BTreeSet<(String, String, String)>;

fn listed(lists: &[&[Permission]]) -> Rights {
    let mut rights = Rights::new();
    for permission in lists.iter().flat_map(|list| list.iter()) {
        for resource in permission.resources {
            let each = permission.verbs.iter();
            rights.extend(each.map(|verb| (permission.group.to_owned(), (*resource).to_owned(), (*verb).to_owned())));
        }
    }
    rights
}

fn granted(role: &Value) -> Rights {
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut rights = Rights::new();
    for rule in role["rules"].as_array().expect("a role has rules") {
        assert!(rule.as_object().is_some_and(|rule| rule.len() == 3), "{rule}");
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                rights.extend(texts(&rule["verbs"]).into_iter().map(|verb| (group.clone(), resource.clone(), verb)));
            }
        }
    }
    rights
}

/// Each role by its namespace, and that exactly the operator's account has it.
fn roles(objects: &[Value]) -> Vec<(String, Rights)> {
    let of_operator = |object: &&Value| object["metadata"]["labels"]["app.kubernetes.io/component"] == "operator";
    let ours = || objects.iter().filter(of_operator);
    let mut found = Vec::new();
    for (kind, binding) in [("ClusterRole", "ClusterRoleBinding"), ("Role", "RoleBinding")] {
        for role in ours().filter(|object| object["kind"] == kind) {
            let bound: Vec<&Value> = ours()
                .filter(|object| object["kind"] == binding && object["metadata"]["namespace"] == role["metadata"]["namespace"])
                .collect();
            let [bound] = bound[..] else { panic!("{bound:?}") };
            assert_eq!((&bound["roleRef"]["kind"], &bound["roleRef"]["name"]), (&kind.into(), &role["metadata"]["name"]));
            assert_eq!(
                bound["subjects"],
                serde_json::json!([{"kind": "ServiceAccount", "name": OPERATOR, "namespace": NAMESPACE}])
            );
            found.push((role["metadata"]["namespace"].as_str().unwrap_or_default().to_owned(), granted(role)));
        }
    }
    found
}

#[test]
fn roles_are_what_the_code_calls() {
    let check = |values: &[&str], expected: &[(&str, Rights)]| {
        let mut found = roles(&made(values));
        found.sort();
        let mut expected: Vec<_> = expected.iter().map(|(name, rights)| ((*name).to_owned(), rights.clone())).collect();
        expected.sort();
        assert_eq!(found, expected, "{values:?}");
    };
    check(&[], &[("", listed(&[CLUSTER, WATCHED])), (NAMESPACE, listed(&[RELEASE]))]);
    let (watched, release) = (listed(&[WATCHED]), listed(&[WATCHED, RELEASE]));
    let api_server = ("default", listed(&[API_SERVER]));
    check(
        &["watchNamespaces={shop,ai}"],
        &[
            ("", listed(&[CLUSTER])),
            ("shop", watched.clone()),
            ("ai", watched.clone()),
            (NAMESPACE, release.clone()),
            api_server.clone(),
        ],
    );
    check(&["watchNamespaces={default}"], &[("", listed(&[CLUSTER])), ("default", watched), (NAMESPACE, release.clone())]);
    check(&["watchNamespaces={doorward-system}"], &[("", listed(&[CLUSTER])), (NAMESPACE, release), api_server]);
    check(&["rbac.create=false"], &[]);
}

#[test]
fn a_narrowed_operator_is_told_so() {
    let names = |values: &[&str]| {
        let objects = made(values);
        super::variable(find(&objects, "Deployment", OPERATOR), "DOORWARD_WATCH_NAMESPACES").map(str::to_owned)
    };
    assert_eq!(names(&[]), None);
    assert_eq!(names(&["watchNamespaces={shop,ai}"]).as_deref(), Some("ai,doorward-system,shop"));
    assert_eq!(names(&["watchNamespaces={shop,doorward-system}"]).as_deref(), Some("doorward-system,shop"));
}

#[test]
fn nothing_is_granted_by_wildcard_or_twice_over() {
    for (place, rights) in roles(&made(&[])) {
        for (group, resource, verb) in rights {
            assert!(![&group, &resource, &verb].contains(&&"*".to_owned()), "{place}: {group}/{resource} {verb}");
            assert!(!["escalate", "bind", "impersonate"].contains(&verb.as_str()), "{group}/{resource} {verb}");
        }
    }
}

#[test]
fn a_role_of_its_own_is_enough_to_ask_data_planes() {
    let right = |group: &str, resource: &str, verb: &str| (group.to_owned(), resource.to_owned(), verb.to_owned());
    let gateways = "gateway.networking.k8s.io";
    let expected = Rights::from([
        right("", "pods", "get"),
        right("", "pods", "list"),
        right("", "pods/portforward", "create"),
        right("", "pods/portforward", "get"),
        right(gateways, "gateways", "get"),
        right(gateways, "gateways", "list"),
    ]);
    assert_eq!(granted(find(&made(&[]), "ClusterRole", &format!("{NAMESPACE}:doorward-explain"))), expected);
}

#[test]
fn people_get_our_kinds_through_the_roles_that_they_have() {
    let objects = made(&[]);
    for (role, verbs) in
        [("view", &["get", "list", "watch"][..]), ("edit", &["create", "update", "patch", "delete", "deletecollection"])]
    {
        let role = find(&objects, "ClusterRole", &format!("{NAMESPACE}:doorward-{role}"));
        let expected: Rights = crds::definition::definitions()
            .iter()
            .flat_map(|definition| {
                verbs.iter().map(|verb| ("doorward.dev".to_owned(), definition.spec.names.plural.clone(), (*verb).to_owned()))
            })
            .collect();
        assert_eq!(granted(role), expected);
    }
    let none = made(&["rbac.aggregate=false"]);
    assert!(!none.iter().any(|object| object["metadata"]["name"] == format!("{NAMESPACE}:doorward-view")));
}
