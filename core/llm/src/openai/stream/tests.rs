//! Streams as relayed: whole, cut, torn anywhere, and what is counted of them.

use cause::{Audience, Denial, Disclosure, Upstream, view};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const CHAT: Call = Call::ChatCompletions;
const REQUEST_BYTES: u64 = 400;

/// What a relay made of a stream.
#[derive(Debug, PartialEq, Eq)]
struct Relayed {
    pieces: Vec<String>,
    ended: Ended,
    usage: Usage,
}

impl Relayed {
    fn text(&self) -> String {
        self.pieces.concat()
    }
}

fn relay(call: Call, injected: bool, chunks: &[&[u8]]) -> Relayed {
    let mut relay = Relay::new(call, injected, REQUEST_BYTES);
    let mut pieces = Vec::new();
    for chunk in chunks {
        relay.push(Bytes::copy_from_slice(chunk));
        while let Some(piece) = relay.take().unwrap() {
            assert!(!piece.is_empty());
            pieces.push(String::from_utf8(piece.to_vec()).unwrap());
        }
    }
    let (rest, ended) = relay.finish();
    pieces.push(String::from_utf8(rest.to_vec()).unwrap());
    pieces.retain(|piece| !piece.is_empty());
    Relayed { pieces, ended, usage: relay.usage() }
}

const fn counted(input: u64, output: u64, cached_input: u64, reasoning: u64) -> Usage {
    Usage { input, output, cached_input, reasoning, estimated: false }
}

fn estimated(output: u64) -> Usage {
    Usage { input: REQUEST_BYTES / 4, output, cached_input: 0, reasoning: 0, estimated: true }
}

/// Relays `stream` cut at every offset: the caller gets `want`, and the end and the usage are these.
fn check(call: Call, injected: bool, stream: &str, want: (&str, Ended, Usage)) {
    let bytes = stream.as_bytes();
    for cut in 0..=bytes.len() {
        let relayed = relay(call, injected, &[&bytes[..cut], &bytes[cut..]]);
        assert_eq!((&*relayed.text(), relayed.ended, relayed.usage), want, "{stream} cut at {cut}");
    }
}

fn check_passed(call: Call, stream: &str, ended: Ended, usage: Usage) {
    check(call, false, stream, (stream, ended, usage));
}

const ROLE: &str =
    r#"data: {"id":"c1","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#;
const HELLO: &str =
    r#"data: {"id":"c1","choices":[{"index":0,"delta":{"content":"He said \"usage\": {"},"finish_reason":null}],"usage":null}"#;
const STOP: &str = r#"data: {"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}"#;
const COST: &str = r#"data: {"id":"c1","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18,"prompt_tokens_details":{"cached_tokens":3},"completion_tokens_details":{"reasoning_tokens":2}}}"#;
const DONE: &str = "data: [DONE]";

fn stream(events: &[&str], end: &str) -> String {
    events.iter().flat_map(|event| [event, end, end]).collect()
}

#[test]
fn what_passes_passes_byte_for_byte() {
    for end in ["\n", "\r\n", "\r"] {
        let whole = stream(&[": busy", ROLE, HELLO, HELLO, STOP, COST, DONE], end);
        check_passed(CHAT, &whole, Ended::Complete, counted(11, 7, 3, 2));
    }
    let whole = format!("\u{feff}{}", stream(&[HELLO, "event: note\nid: 7\nretry: 5", COST, DONE, ": bye"], "\n"));
    check_passed(CHAT, &whole, Ended::Complete, counted(11, 7, 3, 2));
    check_passed(CHAT, &format!("{}trailing", stream(&[HELLO, DONE], "\n")), Ended::Complete, estimated(5));
    check_passed(CHAT, &format!("{}\n{DONE}\n", stream(&[HELLO], "\n")), Ended::Complete, estimated(5));
}

#[test]
fn usage_that_only_the_gateway_asked_for_is_taken_off() {
    for end in ["\n", "\r\n", "\r"] {
        let whole = stream(&[ROLE, HELLO, STOP, COST, DONE], end);
        let relayed = relay(CHAT, true, &[whole.as_bytes()]);
        assert_eq!(relayed.text(), stream(&[ROLE, HELLO, STOP, DONE], end));
    }
    let whole = stream(&[ROLE, HELLO, STOP, COST, DONE], "\n");
    check(CHAT, true, &whole, (&stream(&[ROLE, HELLO, STOP, DONE], "\n"), Ended::Complete, counted(11, 7, 3, 2)));
    let filters = r#"data: {"choices":[],"prompt_filter_results":[],"usage":null}"#;
    let with_choice =
        r#"data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#;
    let kept = stream(&[filters, HELLO, with_choice, DONE], "\n");
    check(CHAT, true, &kept, (&kept, Ended::Complete, counted(1, 2, 0, 0)));
    let twice = stream(&[with_choice, COST, DONE], "\n");
    check(CHAT, true, &twice, (&stream(&[with_choice, DONE], "\n"), Ended::Complete, counted(11, 7, 3, 2)));
    check(CHAT, true, &stream(&[COST], "\n"), ("", Ended::Cut, counted(11, 7, 3, 2)));
}

#[test]
fn a_cut_is_told_at_any_offset() {
    for (injected, end) in [(false, "\n"), (true, "\n"), (false, "\r\n"), (true, "\r\n")] {
        let events = [ROLE, HELLO, HELLO, STOP, COST, DONE];
        let whole = stream(&events, end);
        let marker = whole.find(DONE).unwrap() + DONE.len();
        let mine: Vec<_> = events.into_iter().filter(|event| !injected || *event != COST).collect();
        for cut in 0..marker {
            let relayed = relay(CHAT, injected, &[&whole.as_bytes()[..cut]]);
            let text = relayed.text();
            assert_eq!(relayed.ended, Ended::Cut, "{cut}");
            assert!(!text.contains("[DONE]"), "{cut}");
            let got = text.split_inclusive(&*format!("{end}{end}")).count();
            let want = stream(&mine[..got], end);
            assert!(text == want || format!("{text}\n") == want, "{cut}: {text:?}");
            let all_came = whole[..cut].contains(COST);
            let deltas = whole[..cut].matches("He said").count() as u64;
            assert_eq!(relayed.usage.estimated, !all_came, "{cut}");
            if !all_came {
                assert!(relayed.usage.output <= deltas * 5 && relayed.usage.input == 100, "{cut}: {:?}", relayed.usage);
            }
        }
    }
}

#[test]
fn an_event_waits_for_nothing_but_its_end() {
    let mut relay = Relay::new(CHAT, true, 0);
    for (chunk, want) in [
        ("data: {\"a\":1}\n\n", Some("data: {\"a\":1}\n\n")),
        ("data: {\"b\"", None),
        (":2}\n", None),
        ("\ndata: {\"c\":3}\n\ndata: ", Some("data: {\"b\":2}\n\n")),
        ("", Some("data: {\"c\":3}\n\n")),
    ] {
        relay.push(Bytes::from_static(chunk.as_bytes()));
        let got = relay.take().unwrap();
        assert_eq!(got.as_deref(), want.map(str::as_bytes), "{chunk}");
    }
    assert_eq!(relay.take(), Ok(None));
}

#[test]
fn events_side_by_side_go_in_one_piece_without_a_copy() {
    let whole = Bytes::from(stream(&[ROLE, HELLO, COST, STOP, DONE], "\n"));
    for (injected, pieces) in
        [(false, vec![whole.len()]), (true, vec![ROLE.len() + HELLO.len() + 4, STOP.len() + DONE.len() + 4])]
    {
        let mut relay = Relay::new(CHAT, injected, 0);
        relay.push(whole.clone());
        let mut lengths = Vec::new();
        while let Some(piece) = relay.take().unwrap() {
            assert!(whole.as_ptr_range().contains(&piece.as_ptr()));
            lengths.push(piece.len());
        }
        assert_eq!(lengths, pieces);
    }
}

#[test]
fn an_error_of_the_providers_own_is_the_end() {
    let failed = Ended::Failed;
    let object = r#"data: {"error":{"message":"overloaded","type":"server_error","code":503}}"#;
    check_passed(CHAT, &stream(&[HELLO, object], "\n"), failed, estimated(5));
    check_passed(CHAT, &stream(&[HELLO, "event: error\ndata: {\"message\":\"x\"}"], "\n"), failed, estimated(5));
    check_passed(CHAT, &stream(&[HELLO, object, DONE], "\n"), Ended::Complete, estimated(5));
    let none = r#"data: {"choices":[{"delta":{"content":"\"error\": 1"}}],"error":null}"#;
    check(CHAT, false, &stream(&[none], "\n"), (&stream(&[none], "\n"), Ended::Cut, estimated(3)));
    let deeper = r#"data: {"choices":[{"delta":{"content":"abcd"},"error":{}}]}"#;
    check(CHAT, false, &stream(&[deeper], "\n"), (&stream(&[deeper], "\n"), Ended::Cut, estimated(1)));
}

#[test]
fn each_call_has_its_own_events() {
    let text = r#"data: {"choices":[{"text":"twelve bytes","index":0}]}"#;
    check_passed(Call::Completions, &stream(&[text, DONE], "\n"), Ended::Complete, estimated(3));
    check_passed(Call::Completions, &stream(&[text, text, COST, DONE], "\n"), Ended::Complete, counted(11, 7, 3, 2));

    let created = "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"usage\":null,\"error\":null}}";
    let delta = "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"twelve bytes\"}";
    let usage = r#"{"input_tokens":5,"input_tokens_details":{"cached_tokens":1},"output_tokens":6,"output_tokens_details":{"reasoning_tokens":4},"total_tokens":11}"#;
    let over = |kind: &str| format!(r#"data: {{"type":"{kind}","response":{{"error":null,"usage":{usage}}}}}"#);
    for (kind, ended) in
        [("response.completed", Ended::Complete), ("response.incomplete", Ended::Complete), ("response.failed", Ended::Failed)]
    {
        check_passed(Call::Responses, &stream(&[created, delta, &over(kind)], "\n"), ended, counted(5, 6, 1, 4));
        let named = format!("event: {kind}\n{}", over(kind));
        check_passed(Call::Responses, &stream(&[created, delta, &named], "\n"), ended, counted(5, 6, 1, 4));
    }
    check_passed(Call::Responses, &stream(&[created, delta], "\n"), Ended::Cut, estimated(3));
    check_passed(
        Call::Responses,
        &stream(&[created, "event: error\ndata: {\"type\":\"error\"}"], "\n"),
        Ended::Failed,
        estimated(0),
    );
    check_passed(
        Call::Responses,
        &stream(&[created, r#"data: {"type":"error","message":"x"}"#], "\n"),
        Ended::Failed,
        estimated(0),
    );
}

#[test]
fn text_is_counted_by_events_and_by_bytes() {
    let of = |delta: &str| format!(r#"data: {{"choices":[{{"index":0,"delta":{delta},"logprobs":{{"x":"not this"}}}}]}}"#);
    for (delta, tokens) in [
        (r#"{"role":"assistant","content":""}"#, 0),
        (r#"{"content":null}"#, 0),
        ("null", 0),
        (r#"{"content":"a"}"#, 1),
        (r#"{ "content" : "12345678" }"#, 2),
        (r#"{"reasoning_content":"1234","content":"5678 \"x"}"#, 3),
        (
            r#"{"tool_calls":[{"index":0,"id":"call_123456","type":"function","function":{"name":"find","arguments":"{\"a\":1}"}}]}"#,
            4,
        ),
    ] {
        let relayed = relay(CHAT, false, &[stream(&[&of(delta)], "\n").as_bytes()]);
        assert_eq!(relayed.usage.output, tokens, "{delta}");
    }
    for (value, bytes) in
        [("", 0), ("{\"content\":\"unfinished", 10), ("\"a\\", 2), ("\"ab\", \"c\"", 2), ("}", 0), ("7,\"a\"", 0)]
    {
        assert_eq!(text_in(value.as_bytes(), 0), bytes, "{value}");
    }
    let many: Vec<String> = (0..9).map(|_| of(r#"{"content":"é"}"#)).collect();
    let relayed = relay(CHAT, false, &[stream(&many.iter().map(String::as_str).collect::<Vec<_>>(), "\n").as_bytes()]);
    assert_eq!(relayed.usage, estimated(9));
}

#[test]
fn an_event_without_end_ends_the_stream() {
    let mut relay = Relay::new(CHAT, false, 0);
    relay.push(Bytes::from(stream(&[HELLO], "\n")));
    assert_eq!(relay.take().unwrap().unwrap().len(), HELLO.len() + 2);
    let too_large = Err(TooLarge { limit: EVENT_LIMIT });
    let mut last = relay.take();
    for _ in 0..=EVENT_LIMIT / 4096 {
        relay.push(Bytes::from_static(&[b'a'; 4096]));
        last = relay.take();
    }
    assert_eq!(last, too_large);
    relay.push(Bytes::from_static(b"\n\n"));
    assert_eq!(relay.take(), too_large);

    let mut relay = Relay::new(CHAT, false, 0);
    relay.push(Bytes::from([stream(&[HELLO], "\n").as_bytes(), &vec![b'a'; EVENT_LIMIT + 1]].concat()));
    assert_eq!(relay.take().unwrap().unwrap().len(), HELLO.len() + 2);
    assert_eq!(relay.take(), too_large);
}

#[test]
fn the_caller_is_told_in_its_own_form() {
    let cut = Denial::Upstream(Upstream::Reset { backend: "gpt".into(), reason: "reset".into() });
    let view = view(&cut, Audience::Caller { disclosure: Disclosure::Standard, proven: true }, "https://docs.example");
    for (call, head, kind) in [(CHAT, "data: ", Value::Null), (Call::Responses, "event: error\ndata: ", json!("error"))] {
        let mut relay = Relay::new(call, false, 0);
        relay.push(Bytes::from(stream(&[HELLO, HELLO], "\n")));
        while relay.take().unwrap().is_some() {}
        let event = String::from_utf8(relay.error_event(&view, "d-1", &[], Check::Forward).to_vec()).unwrap();
        let data = event.strip_prefix(head).unwrap().strip_suffix("\n\n").unwrap();
        assert!(!data.contains('\n'));
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!(data["type"], kind);
        assert_eq!(data["error"]["type"], "server_error");
        assert_eq!(data["error"]["doorward"]["code"], "upstream.reset");
        assert_eq!(data["error"]["doorward"]["decision"], "d-1");
        if call == Call::Responses {
            assert_eq!(data["sequence_number"], 2);
            assert_eq!(data["message"], data["error"]["message"]);
        }
        let mut again = Splitter::new(EVENT_LIMIT);
        let read = again.take(&mut Bytes::from(event)).unwrap().unwrap();
        assert!(!is_end_marker(read.fields().data.as_deref().unwrap()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Whatever is sent and however it is cut, the caller gets whole events of it, and the same ones.
    #[test]
    fn chunks_change_nothing(
        parts in prop::collection::vec(
            prop_oneof![
                Just(ROLE), Just(HELLO), Just(STOP), Just(COST), Just(DONE), Just(": c"), Just("\n"), Just("\r"), Just("\r\n"),
                Just("\n\n"), Just("\r\n\r\n"), Just("\u{feff}"), Just("event: error"), Just("data: {\"usage\""), Just("é"),
            ],
            0..24,
        ),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let whole = parts.concat();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(whole.len() + 1)).chain([0, whole.len()]).collect();
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &whole.as_bytes()[pair[0]..pair[1]]).collect();
        let passed = relay(CHAT, false, &chunks);
        prop_assert!(whole.starts_with(&passed.text()));
        let at_once = relay(CHAT, false, &[whole.as_bytes()]);
        // A LF that completes a CRLF may be left behind where the stream was cut between the two.
        let (text, once) = (passed.text(), at_once.text());
        prop_assert_eq!(text.trim_end_matches('\n'), once.trim_end_matches('\n'));
        prop_assert_eq!((passed.ended, passed.usage), (at_once.ended, at_once.usage));
        if passed.ended == Ended::Complete {
            prop_assert_eq!(passed.text(), &*whole);
        }
        let without = relay(CHAT, true, &chunks);
        prop_assert_eq!((without.ended, without.usage), (passed.ended, passed.usage));
        prop_assert!(without.text().len() <= passed.text().len());
    }

    #[test]
    fn any_bytes_are_relayed_or_refused(
        chunks in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..40),
                "(data: |\\{|\"(delta|text|usage|error|type|response|choices)\"|:|\\[|\\]|\\}|\"|,|\\\\|null|7|\n|\r){0,24}".prop_map(String::into_bytes),
            ],
            0..8,
        ),
        call in prop::sample::select(&Call::ALL[..]),
    ) {
        let mut relay = Relay::new(call, false, 0);
        let whole = chunks.concat();
        let mut passed = Vec::new();
        for chunk in chunks {
            relay.push(Bytes::from(chunk));
            while let Some(piece) = relay.take().unwrap() {
                passed.extend_from_slice(&piece);
            }
        }
        passed.extend_from_slice(&relay.finish().0);
        prop_assert!(whole.starts_with(&passed));
    }
}
