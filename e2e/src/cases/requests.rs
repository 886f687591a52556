//! What a caller and kubectl are told when everything is as it should be.

use xtask::Failure;

use super::{World, ensure, open_route};
use crate::doorward::{NAME, NAMESPACE, SHOP, condition};
use crate::http::Request;

/// The conditions that every kind of ours has when it works.
const GOOD: [&str; 4] = ["Accepted", "ResolvedRefs", "Programmed", "Ready"];

/// Conditions and printer columns of everything that the chart and the quickstart make.
pub(super) fn statuses(world: &World) -> Result<(), Failure> {
    condition(&world.cluster, &["gatewayclass", "doorward"], "Accepted", "True")?;
    condition(&world.cluster, &["gateway", NAME, "-n", NAMESPACE], "Accepted", "True")?;
    for kind in GOOD {
        condition(&world.cluster, &["apiroute", "orders", "-n", SHOP], kind, "True")?;
    }
    condition(&world.cluster, &["apikey", "mobile-app", "-n", SHOP], "Ready", "True")?;
    let gateway = world.cluster.get(&["gateway", NAME, "-n", NAMESPACE])?;
    let attached = &gateway["status"]["listeners"][0]["attachedRoutes"];
    ensure(*attached == 2, || format!("attachedRoutes is {attached}, two routes are attached"))?;
    let table = world.cluster.kubectl(&["get", "apiroutes,apikeys", "-n", SHOP])?;
    for expected in ["READY", "True", "Active"] {
        ensure(table.contains(expected), || format!("`{expected}` is not in the table:\n{table}"))?;
    }
    other_kinds(world)
}

/// The kinds that the quickstart has none of.
fn other_kinds(world: &World) -> Result<(), Failure> {
    world.cluster.apply(&format!(
        "apiVersion: doorward.dev/v1alpha1\nkind: AiModel\nmetadata: {{name: small, namespace: {SHOP}}}\n\
         spec: {{provider: Custom, model: chat-mini, endpoint: {{url: 'https://models.example.com/v1', dialect: OpenAi}}}}\n---\n\
         apiVersion: doorward.dev/v1alpha1\nkind: IdentityProvider\nmetadata: {{name: corp, namespace: {SHOP}}}\n\
         spec: {{issuer: 'https://id.example.com', audiences: [orders], jwks: {{uri: 'https://id.example.com/keys'}}}}\n---\n\
         apiVersion: doorward.dev/v1alpha1\nkind: ApiRoute\nmetadata: {{name: ai, namespace: {SHOP}}}\nspec:\n  path: /ai\n  \
         authentication: {{methods: [{{jwt: {{providerRef: {{name: corp}}}}}}]}}\n  \
         versions: [{{version: 1.0.0, backend: {{models: {{names: [small]}}}}}}]\n"
    ))?;
    for object in ["aimodel/small", "identityprovider/corp", "apiroute/ai"] {
        for kind in GOOD {
            condition(&world.cluster, &[object, "-n", SHOP], kind, "True")?;
        }
    }
    world.cluster.kubectl(&["delete", "aimodel/small", "identityprovider/corp", "apiroute/ai", "-n", SHOP]).map(drop)
}

/// Refusals and their codes, through a real data plane.
pub(super) fn answers(world: &World) -> Result<(), Failure> {
    let get = |path: &str| Request::get("api.example.com", path);
    let check = |request: Request, status: u16, code: &str| {
        let answer = world.send(&request)?;
        ensure((answer.status, answer.field("doorward-code")) == (status, code), || {
            format!("{request:?}: expected {status} {code}, got {} {:?}", answer.status, answer)
        })?;
        ensure(!answer.field("doorward-decision").is_empty(), || format!("{request:?}: no decision id"))
    };
    check(world.orders(), 200, "")?;
    check(get("/orders"), 401, "credential.missing")?;
    check(get("/nothing"), 404, "route.not_found")?;
    check(world.orders().sending("DELETE", ""), 403, "access.role_missing")?;
    let other = if world.key.ends_with('x') { 'y' } else { 'x' };
    let mistyped = format!("{}{other}", &world.key[..world.key.len() - 1]);
    check(get("/orders").with("x-api-key", &mistyped), 401, "credential.checksum")
}

/// A name of the cluster as backend, and bodies in both directions.
pub(super) fn bodies(world: &World) -> Result<(), Failure> {
    world.cluster.apply(&open_route("bodies", "orders"))?;
    let text = "0123456789".repeat(5_000);
    let request = Request::get("api.example.com", "/bodies").sending("POST", &text);
    let answer = world.until_answer("the service echoes", &request, 200)?;
    ensure(answer.body.contains(&text), || format!("{} bytes came back", answer.body.len()))?;
    world.cluster.kubectl(&["delete", "apiroute", "bodies", "-n", SHOP]).map(drop)
}

/// What newcomers copy from is taken as it stands; a server-side dry run checks schemas, rules and the kinds of Kubernetes.
pub(super) fn examples(world: &World) -> Result<(), Failure> {
    let folder = xtask::places::root()?.join("examples");
    for part in ["", "quickstart", "kubernetes"] {
        let path = folder.join(part).to_string_lossy().into_owned();
        let taken = world.cluster.kubectl(&["apply", "--dry-run=server", "-f", &path])?;
        ensure(taken.contains("apiroute.doorward.dev/"), || format!("{path} holds no ApiRoute: {taken}"))?;
    }
    Ok(())
}
