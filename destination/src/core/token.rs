//! Context tokens: what a proxy says of itself.

use linkerd_k8s::meta::null_is_default;
use serde::Deserialize;

/// Longest token that is read, in bytes: three names of Kubernetes and some room.
const MAX_LENGTH: usize = 4096;

/// Where a proxy runs. Every part may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Context {
    /// Namespace of the proxy's pod.
    #[serde(rename = "ns", deserialize_with = "null_is_default")]
    pub namespace: String,
    /// Node of the proxy's pod.
    #[serde(rename = "nodeName", deserialize_with = "null_is_default")]
    pub node: String,
    /// Name of the proxy's pod, for logs.
    #[serde(deserialize_with = "null_is_default")]
    pub pod: String,
}

impl Context {
    /// Reads a token. One that makes no sense is an empty one: it must not cost the proxy its answer.
    pub fn parse(token: &str) -> Self {
        if token.is_empty() {
            return Self::default();
        }
        if token.len() > MAX_LENGTH {
            tracing::error!(bytes = token.len(), "context token is too long and is ignored");
            return Self::default();
        }
        // A list would be read as an object by the order of its fields.
        let is_object = token.trim_start().starts_with('{');
        if let Some(context) = is_object.then(|| serde_json::from_str(token).ok()).flatten() {
            return context;
        }
        if let Some(("ns", namespace)) = token.split_once(':').filter(|(_, rest)| !rest.contains(':')) {
            tracing::warn!(token, "context token has the old form ns:NAMESPACE");
            return Self { namespace: namespace.to_owned(), ..Self::default() };
        }
        tracing::error!(token, "context token cannot be read and is ignored");
        Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(namespace: &str, node: &str, pod: &str) -> Context {
        Context { namespace: namespace.to_owned(), node: node.to_owned(), pod: pod.to_owned() }
    }

    // Case 54.
    #[test]
    fn tokens_of_every_age_are_read_and_none_is_an_error() {
        for (token, expected) in [
            ("", context("", "", "")),
            ("{\"ns\":\"ns-1\",\"nodeName\":\"node-1\"}\n", context("ns-1", "node-1", "")),
            (" {\"ns\":\"ns-1\",\"pod\":\"p\",\"new\":[1]} ", context("ns-1", "", "p")),
            ("{\"ns\":null,\"nodeName\":\"n\"}", context("", "n", "")),
            ("ns:ns-2", context("ns-2", "", "")),
            ("ns:a:b", context("", "", "")),
            ("123fa-test", context("", "", "")),
            ("[1]", context("", "", "")),
            ("[\"ns-1\",\"node-1\",\"p\"]", context("", "", "")),
            ("null", context("", "", "")),
            ("{\"ns\":", context("", "", "")),
        ] {
            assert_eq!(Context::parse(token), expected, "{token}");
        }
        assert_eq!(Context::parse(&"x".repeat(5000)), Context::default());
    }
}
