//! Label selectors.

use crate::meta::null_is_default;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Selects objects by their labels; an empty selector selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LabelSelector {
    /// Labels with the value that they must have.
    #[serde(deserialize_with = "null_is_default")]
    pub match_labels: BTreeMap<String, String>,
    /// Further conditions, all of which must hold.
    #[serde(deserialize_with = "null_is_default")]
    pub match_expressions: Vec<Expression>,
}

/// A condition on one label.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Expression {
    /// Key of the label.
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    pub operator: String,
    /// Values for `In` and `NotIn`.
    pub values: Option<Vec<String>>,
}

impl LabelSelector {
    /// Whether labels satisfy every condition. An illegal condition is never satisfied.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.matches_by(|key| labels.get(key).map(String::as_str))
    }

    /// Whether labels, of which `get` finds the value of a key, satisfy every condition.
    pub fn matches_by<'a>(&self, get: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.match_labels.iter().all(|(key, value)| get(key) == Some(value))
            && self.match_expressions.iter().all(|expression| expression.matches(get(&expression.key)))
    }
}

impl Expression {
    fn matches(&self, value: Option<&str>) -> bool {
        let has = |values: &[String], value: &str| values.iter().any(|known| known == value);
        let no_values = self.values.as_ref().is_none_or(Vec::is_empty);
        match (self.operator.as_str(), &self.values) {
            ("In", Some(values)) => value.is_some_and(|value| has(values, value)),
            ("NotIn", Some(values)) => value.is_none_or(|value| !has(values, value)),
            ("Exists", _) if no_values => value.is_some(),
            ("DoesNotExist", _) if no_values => value.is_none(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selects(selector: serde_json::Value) -> bool {
        let labels = BTreeMap::from([("app".to_owned(), "web".to_owned())]);
        serde_json::from_value::<LabelSelector>(selector).unwrap().matches(&labels)
    }

    #[test]
    fn labels_and_expressions_must_all_hold() {
        use serde_json::json;
        assert!(selects(json!({})));
        assert!(selects(json!({"matchLabels": {"app": "web"}})));
        assert!(!selects(json!({"matchLabels": {"app": "db"}})));
        let expression = |operator: &str, key: &str, values: serde_json::Value| {
            selects(json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]}))
        };
        assert!(expression("In", "app", json!(["web", "db"])) && !expression("In", "tier", json!(["web"])));
        assert!(expression("NotIn", "app", json!(["db"])) && expression("NotIn", "tier", json!(["db"])));
        assert!(expression("Exists", "app", json!(null)) && expression("Exists", "app", json!([])));
        assert!(expression("DoesNotExist", "tier", json!([])));
    }

    #[test]
    fn an_illegal_expression_never_matches() {
        use serde_json::json;
        let only = |expression: serde_json::Value| selects(json!({"matchExpressions": [expression]}));
        assert!(!only(json!({"key": "app", "operator": "In"})));
        assert!(!only(json!({"key": "app", "operator": "Exists", "values": ["web"]})));
        assert!(!only(json!({"key": "app", "operator": "Near", "values": ["web"]})));
    }
}
