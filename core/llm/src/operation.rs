//! The operations of the unified AI API, as method and path below a route name them.

/// What a request below an AI route asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    /// A call to a model, which the body names.
    Call(Call),
    /// `GET models`.
    ListModels,
    /// `GET models/{id}`, with the id as it was sent.
    GetModel(&'a str),
}

/// An operation that a model carries out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    /// `POST chat/completions`.
    ChatCompletions,
    /// `POST completions`.
    Completions,
    /// `POST embeddings`.
    Embeddings,
    /// `POST moderations`.
    Moderations,
    /// `POST responses`.
    Responses,
}

/// Every operation, for the cause that lists them.
pub const SERVED: &[&str] = &[
    "POST chat/completions",
    "POST completions",
    "POST embeddings",
    "POST moderations",
    "POST responses",
    "GET models",
    "GET models/{id}",
];

impl<'a> Operation<'a> {
    /// The operation of `method` and `path`, the path below the route in its normal form, with or
    /// without its first slash. `None` where [`SERVED`] has none.
    #[must_use]
    pub fn find(method: &str, path: &'a str) -> Option<Self> {
        let path = path.strip_prefix('/').unwrap_or(path);
        match method {
            "POST" => Call::ALL.into_iter().find(|call| call.path() == path).map(Self::Call),
            "GET" | "HEAD" if path == "models" => Some(Self::ListModels),
            "GET" | "HEAD" => path.strip_prefix("models/").filter(|id| !id.is_empty()).map(Self::GetModel),
            _ => None,
        }
    }
}

impl Call {
    /// Every call.
    pub const ALL: [Self; 5] = [Self::ChatCompletions, Self::Completions, Self::Embeddings, Self::Moderations, Self::Responses];

    /// Its path below the base of an OpenAI-dialect API, without a slash in front.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat/completions",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::Moderations => "moderations",
            Self::Responses => "responses",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, path: &str, want: Option<Operation<'_>>) {
        assert_eq!(Operation::find(method, path), want, "{method} {path}");
    }

    #[test]
    fn method_and_path_name_an_operation() {
        check("POST", "/chat/completions", Some(Operation::Call(Call::ChatCompletions)));
        check("POST", "chat/completions", Some(Operation::Call(Call::ChatCompletions)));
        check("POST", "/completions", Some(Operation::Call(Call::Completions)));
        check("POST", "/embeddings", Some(Operation::Call(Call::Embeddings)));
        check("POST", "/moderations", Some(Operation::Call(Call::Moderations)));
        check("POST", "/responses", Some(Operation::Call(Call::Responses)));
        check("GET", "/models", Some(Operation::ListModels));
        check("HEAD", "/models", Some(Operation::ListModels));
        check("GET", "/models/gpt", Some(Operation::GetModel("gpt")));
        check("GET", "/models/shop/gpt", Some(Operation::GetModel("shop/gpt")));
        for (method, path) in [
            ("GET", "/chat/completions"),
            ("POST", "/models"),
            ("DELETE", "/models/gpt"),
            ("GET", "/models/"),
            ("GET", "/modelsx"),
            ("POST", "/chat/completions/"),
            ("POST", "/chat"),
            ("POST", "//completions"),
            ("post", "/completions"),
            ("GET", "/responses/resp_1"),
            ("POST", ""),
        ] {
            check(method, path, None);
        }
    }

    #[test]
    fn the_list_of_operations_is_what_is_found() {
        for served in SERVED {
            let (method, path) = served.split_once(' ').unwrap();
            assert!(Operation::find(method, path).is_some(), "{served}");
        }
        assert_eq!(SERVED.len(), Call::ALL.len() + 2);
    }
}
