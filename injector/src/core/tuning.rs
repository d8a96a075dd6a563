//! Tuning of the proxy: every leaf of the values `proxy.inbound` and `proxy.outbound` is one variable.

use crate::core::{timeouts, values::Proxy};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A tuning variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Name, such as `LINKERD2_PROXY_INBOUND_SERVER_HTTP2_KEEP_ALIVE_INTERVAL`.
    pub name: String,
    /// Value.
    pub value: String,
}

impl Tuning {
    /// Collects the variables, inbound first, each side in the order of its keys.
    pub fn collect(proxy: &Proxy, mistakes: &mut Vec<String>) -> Vec<Self> {
        let mut found = Vec::new();
        for (side, tree) in [("inbound", &proxy.inbound), ("outbound", &proxy.outbound)] {
            let path = format!("proxy.{side}");
            walk(&path, &format!("LINKERD2_PROXY_{}", side.to_uppercase()), tree, &mut found, mistakes);
        }
        found
    }
}

fn walk(path: &str, name: &str, tree: &Map<String, Value>, found: &mut Vec<Tuning>, mistakes: &mut Vec<String>) {
    for (key, value) in tree.iter().collect::<BTreeMap<_, _>>() {
        let path = format!("{path}.{key}");
        let name = format!("{name}_{}", screaming_snake(key));
        let text = match value {
            Value::Object(tree) => {
                walk(&path, &name, tree, found, mistakes);
                continue;
            }
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(bool) => bool.to_string(),
            Value::Null | Value::Array(_) => {
                mistakes.push(format!("{path}: is not a single value"));
                continue;
            }
        };
        let is_duration = key.ends_with("Interval") || key.ends_with("Timeout");
        match if is_duration { timeouts::for_proxy(&text) } else { Ok(text.clone()) } {
            Ok(value) => found.push(Tuning { name, value }),
            Err(error) => mistakes.push(format!("{path}: {text:?} is not {}", error.expected())),
        }
    }
}

/// `keepAliveInterval` becomes `KEEP_ALIVE_INTERVAL`; digits belong to the word before them.
fn screaming_snake(key: &str) -> String {
    let mut snake = String::with_capacity(key.len() + 4);
    let mut previous = '_';
    for c in key.chars() {
        if c.is_ascii_uppercase() && (previous.is_ascii_lowercase() || previous.is_ascii_digit()) {
            snake.push('_');
        }
        snake.push(if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
        previous = c;
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::values::Values;

    #[test]
    fn every_leaf_is_a_variable_in_order() {
        let yaml = "
proxy:
  inbound: {server: {http2: {keepAliveInterval: 1m30s, maxConcurrentStreams: 10, adaptiveFlowControl: true}}}
  outbound: {}
";
        let mut mistakes = Vec::new();
        let found = Tuning::collect(&Values::from_yaml(yaml).unwrap().proxy, &mut mistakes);
        let found: Vec<_> = found.iter().map(|tuning| (tuning.name.as_str(), tuning.value.as_str())).collect();
        assert_eq!(
            found,
            [
                ("LINKERD2_PROXY_INBOUND_SERVER_HTTP2_ADAPTIVE_FLOW_CONTROL", "true"),
                ("LINKERD2_PROXY_INBOUND_SERVER_HTTP2_KEEP_ALIVE_INTERVAL", "90000ms"),
                ("LINKERD2_PROXY_INBOUND_SERVER_HTTP2_MAX_CONCURRENT_STREAMS", "10"),
            ]
        );
        assert!(mistakes.is_empty());
    }

    #[test]
    fn a_leaf_that_the_proxy_would_refuse_is_a_mistake() {
        let yaml = "proxy: {inbound: {server: {http2: {keepAliveTimeout: '5', list: [1]}}}}";
        let mut mistakes = Vec::new();
        Tuning::collect(&Values::from_yaml(yaml).unwrap().proxy, &mut mistakes);
        assert_eq!(mistakes.len(), 2, "{mistakes:?}");
    }
}
