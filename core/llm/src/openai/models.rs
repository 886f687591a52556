//! The answers of `GET models` and `GET models/{id}`.

use serde::Serialize;

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Model<'a>>,
}

#[derive(Serialize)]
struct Model<'a> {
    id: &'a str,
    object: &'static str,
    created: i64,
    owned_by: &'a str,
}

impl<'a> Model<'a> {
    const fn new(id: &'a str, owner: &'a str, created: i64) -> Self {
        Self { id, object: "model", created, owned_by: owner }
    }
}

/// The body of `GET models`: each of `models` is a name and the namespace that owns it. `created` is
/// in Unix seconds.
#[must_use]
pub fn list<'a>(models: impl IntoIterator<Item = (&'a str, &'a str)>, created: i64) -> Vec<u8> {
    let data = models.into_iter().map(|(id, owner)| Model::new(id, owner, created)).collect();
    written(&List { object: "list", data })
}

/// The body of `GET models/{id}` for a model of that name. `created` is in Unix seconds.
#[must_use]
pub fn one(id: &str, owner: &str, created: i64) -> Vec<u8> {
    written(&Model::new(id, owner, created))
}

#[expect(clippy::expect_used, reason = "texts and numbers are always JSON")]
fn written(answer: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(answer).expect("texts and numbers are always JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_read_as_openai_lists_them() {
        for (answer, want) in [
            (list([], 5), r#"{"object":"list","data":[]}"#),
            (
                list([("gpt", "shop"), ("ai/\"claude\"", "ai")], 1_700_000_000),
                r#"{"object":"list","data":[{"id":"gpt","object":"model","created":1700000000,"owned_by":"shop"},{"id":"ai/\"claude\"","object":"model","created":1700000000,"owned_by":"ai"}]}"#,
            ),
            (one("gpt", "shop", 7), r#"{"id":"gpt","object":"model","created":7,"owned_by":"shop"}"#),
        ] {
            assert_eq!(String::from_utf8(answer).unwrap(), want);
        }
    }
}
