//! Requests of all kinds: what is read from them, what is put in.

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;

const CHAT: Call = Call::ChatCompletions;

fn check(body: &str, model: &str, stream: bool, max_output_tokens: Option<u64>) {
    let request = read(body.as_bytes(), CHAT).unwrap();
    assert_eq!((&*request.model, request.stream, request.max_output_tokens), (model, stream, max_output_tokens), "{body}");
}

#[test]
fn what_is_asked_for_is_read() {
    check(r#"{"model":"gpt"}"#, "gpt", false, None);
    check(" {\n \"model\" : \"shop/gpt\" } ", "shop/gpt", false, None);
    check(r#"{"messages":[{"model":"no","stream":true}],"model":"gpt","stream":false}"#, "gpt", false, None);
    check(r#"{"\u006dodel":"g\u0070t\n","stream":true}"#, "gpt\n", true, None);
    check(r#"{"model":"gpt","stream":null,"max_tokens":7}"#, "gpt", false, Some(7));
    check(r#"{"model":"gpt","stream":"true","max_completion_tokens":9}"#, "gpt", false, Some(9));
    check(r#"{"model":"gpt","max_tokens":30,"max_completion_tokens":20}"#, "gpt", false, Some(20));
    check(r#"{"model":"gpt","max_output_tokens":11}"#, "gpt", false, Some(11));
    for no_number in ["null", "-1", "1.5", "1e3", "\"5\"", "99999999999999999999999999", "{}"] {
        check(&format!(r#"{{"model":"gpt","max_tokens":{no_number}}}"#), "gpt", false, None);
    }
    check(r#"{"model":"gpt","n":1,"n":2}"#, "gpt", false, None);
    check(r#"{"model":"gpt","Stream":true}"#, "gpt", false, None);
}

fn check_refused(body: impl AsRef<[u8]>, want: &Unreadable) {
    let body = body.as_ref();
    assert_eq!(read(body, CHAT).as_ref(), Err(want), "{}", String::from_utf8_lossy(body));
}

#[test]
fn what_cannot_be_read_is_told_apart() {
    let payload = Unreadable::Payload;
    for (body, offset) in [
        (&b""[..], 0),
        (b"[]", 0),
        (b"\"model\"", 0),
        (b"{\"model\":\"gpt\"", 14),
        (b"{\"model\":\"gpt\"}}", 15),
        (b"{\"model\":\"gpt\"} {}", 16),
        (b"\xef\xbb\xbf{\"model\":\"gpt\"}", 0),
        (b"{\"model\":\"g\xffpt\"}", 11),
        (b"{\"model\":\"gpt\",\"n\":\"\xed\xa0\x80\"}", 20),
        (b"{\"model\":\"\\ud800\"}", 9),
        (b"model=gpt", 0),
    ] {
        check_refused(body, &payload(Payload::NotJson { offset }));
    }
    for body in ["{}", r#"{"model":null}"#, r#"{"model":7}"#, r#"{"model":["gpt"]}"#, r#"{"model":""}"#, r#"{"Model":"gpt"}"#] {
        check_refused(body, &Unreadable::NoModel);
    }
    for (body, member) in [
        (r#"{"model":"a","model":"b"}"#, "model"),
        (r#"{"model":"a","mod\u0065l":"a"}"#, "model"),
        (r#"{"model":"a","MODEL":"b"}"#, "model"),
        (r#"{"Model":"a","model":"b"}"#, "model"),
        (r#"{"model":"a","stream":true,"stream":true}"#, "stream"),
        (r#"{"model":"a","max_tokens":1,"Max_Tokens":2}"#, "max_tokens"),
        (r#"{"model":"a","stream_options":{},"stream_options":{}}"#, "stream_options"),
        (
            r#"{"model":"a","stream":true,"stream_options":{"include_usage":true,"include_usage":false}}"#,
            "stream_options.include_usage",
        ),
    ] {
        check_refused(body, &payload(Payload::DuplicateMember { member }));
    }
    for levels in [MAX_DEPTH, 1_000_000] {
        check_refused(format!(r#"{{"model":"a","x":{}"#, "[".repeat(levels)), &payload(Payload::TooDeep { limit: MAX_DEPTH }));
    }
}

fn check_spliced(call: Call, body: &str, want: &str) {
    let bytes = Bytes::copy_from_slice(body.as_bytes());
    let request = read(&bytes, call).unwrap();
    let spliced = splice(&bytes, &request, "up");
    assert_eq!(std::str::from_utf8(&spliced).unwrap(), want, "{body}");
    let injected = body.contains(r#""include_usage":true"#) != want.contains(r#""include_usage":true"#);
    assert_eq!(request.injects_usage(), injected, "{body}");
}

#[test]
fn only_what_must_change_changes() {
    let with = r#","stream_options":{"include_usage":true}"#;
    check_spliced(CHAT, r#"{"model":"gpt"}"#, r#"{"model":"up"}"#);
    check_spliced(CHAT, r#"{"x": [1 ],"model" :"g\u0070t", "é":1.50 } "#, r#"{"x": [1 ],"model" :"up", "é":1.50 } "#);
    check_spliced(CHAT, r#"{"stream":false,"model":"gpt"}"#, r#"{"stream":false,"model":"up"}"#);
    check_spliced(CHAT, r#"{"stream":true,"model":"gpt"}"#, &format!(r#"{{"stream":true,"model":"up"{with}}}"#));
    check_spliced(CHAT, "{\"model\":\"gpt\",\"stream\":true\n} \n", &format!("{{\"model\":\"up\",\"stream\":true\n{with}}} \n"));
    check_spliced(Call::Completions, r#"{"model":"up","stream":true}"#, &format!(r#"{{"model":"up","stream":true{with}}}"#));
    for call in [Call::Embeddings, Call::Moderations, Call::Responses] {
        check_spliced(call, r#"{"stream":true,"model":"gpt"}"#, r#"{"stream":true,"model":"up"}"#);
    }
    for (options, want) in [
        ("null", r#"{"include_usage":true}"#),
        ("{}", r#"{"include_usage":true}"#),
        ("{ }", r#"{"include_usage":true }"#),
        (r#"{"include_obfuscation":false}"#, r#"{"include_usage":true,"include_obfuscation":false}"#),
        (r#"{"include_usage": false}"#, r#"{"include_usage": true}"#),
        (r#"{"a":1,"include_usage":null }"#, r#"{"a":1,"include_usage":true }"#),
        (r#"{"include_usage":true}"#, r#"{"include_usage":true}"#),
        (r#"{"include_usage":"yes"}"#, r#"{"include_usage":"yes"}"#),
        ("[]", "[]"),
        ("7", "7"),
    ] {
        for order in [r#"{"stream_options":@,"stream":true,"model":"#, r#"{"stream":true,"stream_options": @ ,"model":"#] {
            let body = format!("{}\"gpt\"}}", order.replace('@', options));
            let bytes = Bytes::from(body.clone().into_bytes());
            let request = read(&bytes, CHAT).unwrap();
            assert_eq!(request.injects_usage(), options != want, "{body}");
            assert_eq!(splice(&bytes, &request, "up"), format!("{}\"up\"}}", order.replace('@', want)), "{body}");
        }
    }
    check_spliced(
        CHAT,
        r#"{"model":"gpt","stream_options":{"include_usage":1,"include_usage":2}}"#,
        r#"{"model":"up","stream_options":{"include_usage":1,"include_usage":2}}"#,
    );
}

#[test]
fn without_a_change_it_is_the_same_buffer() {
    let body = Bytes::from_static(br#"{"model":"\u0075p","stream":true,"stream_options":{"include_usage":true}}"#);
    let request = read(&body, CHAT).unwrap();
    assert_eq!(splice(&body, &request, "up").as_ptr(), body.as_ptr());
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-z\"\\\\é]{0,4}", inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_spliced_body_differs_in_the_model_alone(
        model in "\\PC{1,8}",
        other in any::<String>(),
        members in prop::collection::btree_map("[a-z]{1,12}|stream_options|max_tokens", json(), 0..5),
        place in any::<prop::sample::Index>(),
        stream in any::<bool>(),
        pretty in any::<bool>(),
    ) {
        let mut members: Vec<_> = members.into_iter().filter(|(key, _)| key != "model" && key != "stream").collect();
        members.insert(place.index(members.len() + 1), ("model".to_owned(), Value::from(&*model)));
        members.insert(place.index(members.len() + 1), ("stream".to_owned(), Value::from(stream)));
        let value = Value::Object(members.into_iter().collect::<Map<_, _>>());
        let body = if pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) };
        let body = Bytes::from(body.unwrap());
        let request = read(&body, CHAT).unwrap();
        prop_assert_eq!(&*request.model, &*model);
        prop_assert_eq!(request.stream, stream);
        let mut spliced: Value = serde_json::from_slice(&splice(&body, &request, &other)).unwrap();
        prop_assert_eq!(&spliced["model"], &Value::from(&*other));
        spliced["model"] = Value::from(&*model);
        if request.injects_usage() {
            prop_assert_eq!(&spliced["stream_options"]["include_usage"], &Value::Bool(true));
            let options = spliced["stream_options"].as_object_mut().unwrap();
            match value.get("stream_options").and_then(|options| options.get("include_usage")) {
                Some(said) => drop(options.insert("include_usage".to_owned(), said.clone())),
                None => drop(options.shift_remove("include_usage")),
            }
            match value.get("stream_options") {
                None => drop(spliced.as_object_mut().unwrap().shift_remove("stream_options")),
                Some(Value::Null) => spliced["stream_options"] = Value::Null,
                Some(_) => {}
            }
        }
        prop_assert_eq!(spliced, value);
    }

    #[test]
    fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..64), tail in "[{}\\[\\]\",:a-z0-9]{0,32}") {
        let _ = read(&body, CHAT);
        let _ = read(format!("{{\"model\":\"a\",{tail}").as_bytes(), CHAT);
    }
}
