//! Calls to models, seen from both ends: the caller's and the provider's.

#![cfg(test)]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tests::client::{Manner, Message, call};
use tests::manifests::{Serving, session};
use tests::origin::{Origin, answer, chunk, json as in_json};
use tests::stage::USUAL_TIME;
use tests::watched::{Watched, request};

const KEY: &str = "dw_test_4f7k2m9qp3xw8b6n_HjGF3P03iP0j8ZFgaq2T04WynozBwKYI0tbQGmW8c9511muyx";
/// How a caller comes; what it tells of itself is not the provider's business.
const HEAD: &str = "POST /ai/chat/completions
Authorization: Bearer dw_test_4f7k2m9qp3xw8b6n_HjGF3P03iP0j8ZFgaq2T04WynozBwKYI0tbQGmW8c9511muyx
Content-Type: application/json
Cookie: session=of-the-caller
Doorward-Principal: somebody-else
X-Forwarded-For: 203.0.113.9
X-Internal: yes
OpenAI-Beta: assistants=v2
User-Agent: test/1";
const COMPLETION: &str = r#"{"id":"c1","object":"chat.completion","created":1,"model":"demo-1","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Hello."}}],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}}"#;
const STREAM_HEAD: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
const FIRST: &str = "data: {\"id\":\"c2\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"demo-1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"One\"},\"finish_reason\":null}]}\n\n";
const SECOND: &str = "data: {\"id\":\"c2\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"demo-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" two.\"},\"finish_reason\":\"stop\"}]}\n\n";
const USAGE: &str = "data: {\"id\":\"c2\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"demo-1\",\"choices\":[],\"usage\":{\"prompt_tokens\":23,\"completion_tokens\":5,\"total_tokens\":28}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

/// A gateway before a provider, in a folder of its own.
struct Scene {
    gateway: Watched,
    _folder: tempfile::TempDir,
}

fn scene(provider: &Origin) -> Scene {
    let manifests = format!(
        "
apiVersion: doorward.dev/v1alpha1
kind: ApiRoute
metadata: {{name: ai, namespace: shop}}
spec:
  path: /ai
  authentication: {{methods: [{{apiKey: {{bearer: {{}}}}}}]}}
  versions:
    - {{version: 1.0.0, backend: {{models: {{names: [gpt, spare]}}}}}}
---
apiVersion: doorward.dev/v1alpha1
kind: AiModel
metadata: {{name: gpt, namespace: shop}}
spec:
  provider: Custom
  model: demo-1
  endpoint: {{url: http://{0}/v1}}
  credential: {{secretRef: {{name: provider, key: api-key}}}}
---
apiVersion: doorward.dev/v1alpha1
kind: AiModel
metadata: {{name: spare, namespace: shop}}
spec: {{provider: Custom, model: demo-2, endpoint: {{url: http://{0}/v1}}}}
---
apiVersion: doorward.dev/v1alpha1
kind: AiModel
metadata: {{name: secret-plans, namespace: shop}}
spec: {{provider: Custom, model: demo-3, endpoint: {{url: http://{0}/v1}}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: provider, namespace: shop}}
stringData: {{api-key: sk-of-the-provider}}
---
apiVersion: doorward.dev/v1alpha1
kind: ApiKey
metadata: {{name: mobile-app, namespace: shop}}
spec: {{secretRef: {{name: mobile-app-key}}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: mobile-app-key, namespace: shop}}
stringData: {{key: {KEY}}}
",
        provider.address
    );
    let folder = tempfile::tempdir().unwrap();
    let gateway = Watched::start(&manifests, folder.path(), USUAL_TIME.parse().unwrap()).unwrap();
    Scene { gateway, _folder: folder }
}

/// A provider that says the same to everybody.
fn saying(bytes: Vec<u8>) -> Origin {
    Origin::start(move |_, stream| stream.write_all(&bytes)).unwrap()
}

fn body_of(message: &Message) -> Value {
    serde_json::from_slice(&message.body).unwrap_or_else(|error| panic!("{error}: {message:?}"))
}

#[test]
fn the_provider_sees_the_callers_bytes_and_our_credential() {
    // Spaces, escapes, order, numbers and unknown members are the caller's to choose.
    let body = |model: &str| {
        format!(
            "{{ \"unknown\":1.0e2 ,\"messages\" : [{{\"content\":\"\\u00fc/\\/\u{fc}\",\"role\":\"user\"}}],\n\"model\":\"{model}\" , \"n\":1}} "
        )
    };
    let provider = saying(in_json(200, COMPLETION));
    let scene = scene(&provider);
    let mut answers = Vec::new();
    for (asked, model, credential) in [
        ("gpt", "demo-1", Some("Bearer sk-of-the-provider")),
        ("shop/gpt", "demo-1", Some("Bearer sk-of-the-provider")),
        ("spare", "demo-2", None),
    ] {
        let answered = scene.gateway.send(HEAD, &body(asked)).unwrap();
        assert_eq!((answered.status(), &*String::from_utf8_lossy(&answered.body)), (200, COMPLETION), "{answered:?}");
        let received = provider.received().pop().unwrap();
        assert_eq!(received.start, "POST /v1/chat/completions HTTP/1.1");
        assert_eq!(String::from_utf8_lossy(&received.body), body(model), "{asked}");
        assert_eq!(received.header("authorization"), credential, "{asked}");
        assert_eq!(received.header("host"), Some(&*provider.address.to_string()));
        let mut names: Vec<&str> = received.headers.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.retain(|name| *name != "authorization");
        assert_eq!(
            names,
            ["cdn-loop", "content-length", "content-type", "host", "openai-beta", "traceparent", "user-agent"],
            "{asked}"
        );
        assert!(!format!("{received:?}").contains(KEY), "{received:?}");
        answers.push(answered);
    }
    let left = scene.gateway.stop().unwrap();
    assert_eq!(left.records.len(), 3);
    for (answered, model) in answers.iter().zip(["shop/gpt", "shop/gpt", "shop/spare"]) {
        let record = left.record(answered).unwrap();
        assert_eq!(record["model"], model, "{record}");
        assert_eq!(record["gen_ai.usage.input_tokens"], 11, "{record}");
        assert_eq!(record["gen_ai.usage.output_tokens"], 7, "{record}");
        assert_eq!(record["complete"], true, "{record}");
        for secret in ["sk-of-the-provider", KEY] {
            assert!(!record.to_string().contains(secret), "{record}");
        }
    }
    for line in [
        "doorward_tokens_total{model=\"shop/gpt\",direction=\"input\"} 22\n",
        "doorward_tokens_total{model=\"shop/gpt\",direction=\"output\"} 14\n",
        "doorward_tokens_total{model=\"shop/spare\",direction=\"output\"} 7\n",
    ] {
        assert!(left.metrics.contains(line), "{line}{}", left.metrics);
    }
}

#[test]
fn callers_see_the_models_that_they_may_use() {
    let provider = saying(in_json(500, "{}"));
    let scene = scene(&provider);
    let get = |path: &str, key: &str| scene.gateway.send(&format!("GET {path}\nAuthorization: Bearer {key}"), "").unwrap();
    let model = |id: &str| json!({"id": id, "object": "model", "created": 1_780_315_200, "owned_by": "shop"});
    let list = body_of(&get("/ai/models", KEY));
    assert_eq!(list, json!({"object": "list", "data": [model("gpt"), model("spare")]}));
    assert_eq!(body_of(&get("/ai/models/spare", KEY)), model("spare"));
    // One that exists and is not offered here is as unknown as one that does not exist.
    for name in ["secret-plans", "nothing"] {
        let refused = get(&format!("/ai/models/{name}"), KEY);
        assert_eq!((refused.status(), refused.header("doorward-code")), (404, Some("model.not_found")), "{refused:?}");
        let told = body_of(&refused)["error"]["message"].as_str().unwrap().to_owned();
        assert!(told.contains("gpt") && (name == "secret-plans" || !told.contains("secret-plans")), "{told}");
    }
    assert_eq!(get("/ai/models", "dw_test_unknown").status(), 401);
    assert!(provider.received().is_empty(), "the list is ours");
}

#[test]
fn models_that_cannot_be_used_are_listed_when_they_can() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ai.yaml");
    let model = |name: &str, more: &str| {
        format!(
            "---\napiVersion: doorward.dev/v1alpha1\nkind: AiModel\nmetadata: {{name: {name}}}\nspec: {{provider: Custom, model: a, \
             endpoint: {{url: 'http://127.0.0.1:1'}}{more}}}\n"
        )
    };
    let route = "apiVersion: doorward.dev/v1alpha1\nkind: ApiRoute\nmetadata: {name: ai}\nspec:\n  path: /ai\n  \
        authentication: {mode: Anonymous}\n  versions: [{version: 1.0.0, backend: {models: {names: [ready, unready]}}}]\n";
    let unready = model("unready", ", credential: {secretRef: {name: not-made-yet, key: api-key}}");
    std::fs::write(&path, [route.to_owned(), model("ready", ""), unready].concat()).unwrap();
    let now = USUAL_TIME.parse().unwrap();
    let serving = Serving::start(&session(vec![path], now).reload(now), now).unwrap();
    let address = serving.address(dataplane::PortProtocol::Http).unwrap();
    let get = |path: &str| call(address, &request(&format!("GET {path}"), ""), &Manner::default()).unwrap();
    let ids: Vec<Value> =
        body_of(&get("/ai/models"))["data"].as_array().unwrap().iter().map(|model| model["id"].clone()).collect();
    assert_eq!(ids, ["ready"]);
    let told = get("/ai/models/unready");
    assert_eq!((told.status(), told.header("doorward-code")), (503, Some("config.secret_not_found")), "{told:?}");
    let unknown = body_of(&get("/ai/models/nothing"))["error"]["message"].as_str().unwrap().to_owned();
    assert!(!unknown.contains("unready"), "{unknown}");
    serving.stop();
}

#[test]
fn refusals_speak_as_openai_does() {
    let provider = saying(in_json(200, COMPLETION));
    let scene = scene(&provider);
    let check = |head: &str, body: &str, expected: (u16, &str, &str, Value, &str)| {
        let (status, kind, code, param, ours) = expected;
        let refused = scene.gateway.send(head, body).unwrap();
        let error = &body_of(&refused)["error"];
        let found = (refused.status(), &error["type"], &error["code"], &error["param"], &error["doorward"]["code"]);
        assert_eq!(found, (status, &json!(kind), &json!(code), &param, &json!(ours)), "{body:.100}");
        assert_eq!(refused.header("doorward-code"), Some(ours));
        assert_eq!(error["doorward"]["decision"], refused.header("doorward-decision").unwrap());
        assert_eq!(refused.header("x-should-retry"), Some("false"), "{ours}");
        assert_eq!(refused.header("content-type"), Some("application/json"));
        assert!(error["message"].as_str().unwrap().len() > 10, "{error}");
    };
    let ours = |status, code| (status, "invalid_request_error", code, Value::Null, code);
    check(HEAD, r#"{"model":"gpt-9"}"#, (404, "invalid_request_error", "model_not_found", Value::Null, "model.not_found"));
    check(HEAD, r#"{"model":"secret-plans"}"#, (404, "invalid_request_error", "model_not_found", Value::Null, "model.not_found"));
    let missing = || (400, "invalid_request_error", "missing_required_parameter", json!("model"), "model.missing");
    check(HEAD, r#"{"messages":[]}"#, missing());
    check(HEAD, r#"{"model":7}"#, missing());
    check(HEAD, r#"{"model":""}"#, missing());
    for not_json in ["{\"model\":\"gpt\"", "[]", "model=gpt", "{\"model\":\"gpt\"}{}", "{\"model\":\"gpt\",}", "\u{feff}{}"] {
        check(HEAD, not_json, ours(400, "payload.not_json"));
    }
    let deep = format!(r#"{{"model":"gpt","messages":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    check(HEAD, &deep, ours(400, "payload.too_deep"));
    for twice in
        [r#"{"model":"gpt","model":"spare"}"#, r#"{"model":"gpt","Model":"spare"}"#, r#"{"model":"gpt","\u006dodel":"spare"}"#]
    {
        check(HEAD, twice, ours(400, "payload.duplicate_member"));
    }
    check(&HEAD.replace("application/json", "text/plain"), r#"{"model":"gpt"}"#, ours(415, "payload.media_type"));
    check(&format!("{HEAD}\nContent-Encoding: gzip"), r#"{"model":"gpt"}"#, ours(415, "payload.encoded"));
    check(&HEAD.replace("/chat/", "/chats/"), r#"{"model":"gpt"}"#, ours(404, "model.operation_unknown"));
    let unknown = (401, "invalid_request_error", "invalid_api_key", Value::Null);
    let wrong = HEAD.replace(KEY, "dw_test_8c1d5h0tz6vy3r9s_93th5bXj8t58pIWNAm7ssFziuHm7nyJ0Pm9Ri7JrwTo4BJWop");
    check(&wrong, r#"{"model":"gpt"}"#, (unknown.0, unknown.1, unknown.2, unknown.3, "credential.unknown"));
    assert!(provider.received().is_empty(), "what is refused reaches nobody: {:?}", provider.received());
}

#[test]
fn a_providers_refusals_are_told_apart() {
    let check = |said: Vec<u8>, (status, code): (u16, Option<&str>), retry_after: Option<&str>, should_retry: Option<&str>| {
        let provider = saying(said);
        let scene = scene(&provider);
        let answered = scene.gateway.send(HEAD, r#"{"model":"gpt","messages":[]}"#).unwrap();
        assert_eq!((answered.status(), answered.header("doorward-code")), (status, code), "{answered:?}");
        assert_eq!(answered.header("retry-after"), retry_after, "{code:?}");
        assert_eq!(answered.header("x-should-retry"), should_retry, "{code:?}");
        assert_eq!(answered.header("set-cookie"), None);
        assert_eq!(provider.received().len(), 1, "a call that may have cost something is sent once");
        let error = &body_of(&answered)["error"];
        assert!(error["message"].is_string(), "{error}");
        let record = scene.gateway.stop().unwrap().records.pop().unwrap();
        assert_eq!((record["code"].as_str(), record["http.response.status_code"].as_u64()), (code, Some(status.into())));
        answered
    };
    let said = r#"{"error":{"message":"Incorrect API key provided: sk-of-the-provider"}}"#;
    for status in [401, 403] {
        let more = "Content-Type: application/json\r\nWWW-Authenticate: Bearer\r\nSet-Cookie: a=b\r\n";
        let answered = check(answer(status, more, said), (502, Some("upstream.credential_refused")), None, Some("false"));
        assert!(!String::from_utf8_lossy(&answered.body).contains("sk-of-the-provider"), "{answered:?}");
        assert_eq!(answered.header("www-authenticate"), None);
    }
    let waiting = |status| answer(status, "Content-Type: application/json\r\nRetry-After: 7\r\n", said);
    check(waiting(429), (429, Some("upstream.rate_limited")), Some("7"), None);
    check(in_json(429, said), (429, Some("upstream.rate_limited")), None, None);
    check(waiting(500), (500, Some("upstream.error")), Some("7"), None);
    check(waiting(503), (503, Some("upstream.error")), Some("7"), None);
    // What the provider says of the request itself is the caller's to read.
    let answered = check(in_json(400, said), (400, None), None, None);
    assert_eq!(String::from_utf8_lossy(&answered.body), said);
}

/// A provider that streams: each part is sent when the test says so, and the connection closes when it says no more.
fn streaming() -> (Origin, Sender<&'static str>) {
    let (say, said): (_, Receiver<&'static str>) = channel();
    let said = Mutex::new(said);
    let origin = Origin::start(move |_, stream| {
        stream.write_all(STREAM_HEAD.as_bytes())?;
        let said = said.lock().unwrap_or_else(PoisonError::into_inner);
        while let Ok(part) = said.recv() {
            if part.is_empty() {
                return stream.write_all(b"0\r\n\r\n");
            }
            stream.write_all(&chunk(part))?;
        }
        Ok(())
    });
    (origin.unwrap(), say)
}

/// A caller that reads as it comes.
struct Caller {
    stream: TcpStream,
    read: String,
}

impl Caller {
    fn call(scene: &Scene, body: &str) -> Self {
        let mut stream = TcpStream::connect(scene.gateway.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(&request(&format!("{HEAD}\nConnection: close"), body)).unwrap();
        Self { stream, read: String::new() }
    }

    /// Reads until `text` has come.
    fn until(&mut self, text: &str) -> &mut Self {
        let mut piece = [0; 4096];
        while !self.read.contains(text) {
            let count = self.stream.read(&mut piece).unwrap();
            assert!(count > 0, "{text:?} did not come: {}", self.read);
            self.read.push_str(std::str::from_utf8(&piece[..count]).unwrap());
        }
        self
    }

    /// The body, chunks joined, once it has ended.
    fn body(mut self) -> String {
        self.until("\r\n\r\n");
        let mut bytes = Vec::new();
        self.stream.read_to_end(&mut bytes).unwrap();
        self.read.push_str(std::str::from_utf8(&bytes).unwrap());
        let (head, mut rest) = self.read.split_once("\r\n\r\n").unwrap();
        assert!(head.to_ascii_lowercase().contains("\r\ncontent-type: text/event-stream"), "{head}");
        let mut body = String::new();
        while let Some((size, more)) = rest.split_once("\r\n") {
            let size = usize::from_str_radix(size, 16).unwrap_or_else(|_| panic!("{size}: {}", self.read));
            if size == 0 {
                return body;
            }
            body.push_str(&more[..size]);
            rest = &more[size + 2..];
        }
        panic!("the body does not end: {}", self.read);
    }
}

#[test]
fn streams_pass_event_by_event() {
    // The last word: what of the request is changed beside the model, and whether the caller gets the usage.
    for (options, sent, shown) in [
        (r#","stream_options":{"include_usage":true}"#, r#","stream_options":{"include_usage":true}"#, true),
        ("", r#","stream_options":{"include_usage":true}"#, false),
    ] {
        let (provider, say) = streaming();
        let scene = scene(&provider);
        let mut caller = Caller::call(&scene, &format!(r#"{{"model":"gpt","messages":[],"stream":true{options}}}"#));
        say.send(FIRST).unwrap();
        // The second is not sent before the first has arrived.
        caller.until("\"One\"");
        assert!(!caller.read.contains("two."));
        // Cut anywhere: an event goes on once it is whole.
        let (begins, ends) = SECOND.split_at(40);
        for part in [begins, ends, USAGE, DONE, ""] {
            say.send(part).unwrap();
        }
        let expected = if shown { [FIRST, SECOND, USAGE, DONE].concat() } else { [FIRST, SECOND, DONE].concat() };
        assert_eq!(caller.body(), expected);
        let received = provider.received().pop().unwrap();
        let wanted = format!(r#"{{"model":"demo-1","messages":[],"stream":true{sent}}}"#);
        assert_eq!(String::from_utf8_lossy(&received.body), wanted);
        let left = scene.gateway.stop().unwrap();
        let record = left.records.first().unwrap();
        assert_eq!(record["gen_ai.usage.input_tokens"], 23, "{record}");
        assert_eq!(record["gen_ai.usage.output_tokens"], 5, "{record}");
        assert_ne!(record["usage_estimated"], true, "{record}");
        assert_eq!((&record["complete"], record.get("code")), (&json!(true), None), "{record}");
        let line = "doorward_tokens_total{model=\"shop/gpt\",direction=\"input\"} 23\n";
        assert!(left.metrics.contains(line), "{}", left.metrics);
    }
}

#[test]
fn a_cut_stream_says_so() {
    let (provider, say) = streaming();
    let scene = scene(&provider);
    let mut caller = Caller::call(&scene, r#"{"model":"gpt","messages":[],"stream":true}"#);
    say.send(FIRST).unwrap();
    caller.until("\"One\"");
    // Half an event, then the provider is gone.
    say.send(SECOND.split_at(40).0).unwrap();
    drop(say);
    let body = caller.body();
    let last = body.strip_prefix(FIRST).unwrap_or_else(|| panic!("{body}"));
    let event: Value = serde_json::from_str(last.strip_prefix("data: ").unwrap().trim_end()).unwrap();
    assert!(last.ends_with("\n\n") && !body.contains("[DONE]") && !body.contains("two."), "{body}");
    assert_eq!(event["error"]["doorward"]["code"], "upstream.reset", "{event}");
    assert_eq!(event["error"]["type"], "server_error", "{event}");
    let left = scene.gateway.stop().unwrap();
    let record = left.records.first().unwrap();
    assert_eq!(record["code"], "upstream.reset", "{record}");
    assert_eq!(record["decision"], event["error"]["doorward"]["decision"], "{record}");
    // No number came, so it is an estimate, and says so.
    assert_eq!(record["usage_estimated"], true, "{record}");
    assert!(record["gen_ai.usage.output_tokens"].as_u64().unwrap() > 0, "{record}");
}

/// A provider's error inside a stream is the last word; ours would be a second one.
#[test]
fn a_stream_that_fails_ends_with_the_providers_word() {
    const FAILED: &str = "data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\"}}\n\n";
    let (provider, say) = streaming();
    let scene = scene(&provider);
    let caller = Caller::call(&scene, r#"{"model":"gpt","messages":[],"stream":true}"#);
    for part in [FIRST, FAILED, ""] {
        say.send(part).unwrap();
    }
    assert_eq!(caller.body(), [FIRST, FAILED].concat());
}

#[test]
fn openais_own_client_is_at_home() {
    let python = xtask::places::python().unwrap();
    assert!(python.is_file(), "{} is missing; `make test` makes it", python.display());
    let provider = Origin::start(|request, stream| {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        if body["stream"] != true {
            return stream.write_all(&in_json(200, COMPLETION));
        }
        stream.write_all(STREAM_HEAD.as_bytes())?;
        let usage = if body["stream_options"]["include_usage"] == true { USAGE } else { "" };
        for event in [FIRST, SECOND, usage, DONE].into_iter().filter(|event| !event.is_empty()) {
            stream.write_all(&chunk(event))?;
        }
        stream.write_all(b"0\r\n\r\n")
    })
    .unwrap();
    let scene = scene(&provider);
    let script = xtask::places::root().unwrap().join("tests/python/openai_client.py");
    let base = format!("http://{}/ai", scene.gateway.address);
    let ran = Command::new(python).arg(script).args([&base, KEY]).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{out}{err}");
    let expected = "\
models gpt spare
create Hello. 18
stream One two. without usage
stream One two. 28
wrong key AuthenticationError 401 credential.unknown invalid_api_key
unknown model NotFoundError 404 model.not_found model_not_found
";
    assert_eq!(out, expected, "{err}");
    let refused = scene.gateway.stop().unwrap().records.iter().filter(|record| record.get("code").is_some()).count();
    assert_eq!(refused, 2, "the client does not send again what cannot succeed");
}
