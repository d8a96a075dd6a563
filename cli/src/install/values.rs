//! Values: one untyped tree, so that what the templates know works whatever this program knows of it.

use serde_json::{Map, Value};

/// Puts `values` over `base`: maps are merged, everything else is replaced.
pub fn merge(base: &mut Value, values: Value) {
    match (base, values) {
        (Value::Object(base), Value::Object(values)) => {
            for (key, value) in values {
                match base.get_mut(&key) {
                    Some(present) => merge(present, value),
                    None => drop(base.insert(key, value)),
                }
            }
        }
        (base, values) => *base = values,
    }
}

/// What a chart sees: its defaults, and over them the values of the user, of which null removes a default.
pub fn coalesce(defaults: &Value, mut values: Value) -> Value {
    let (Value::Object(defaults), Value::Object(set)) = (defaults, &mut values) else { return values };
    for (key, default) in defaults {
        match set.get_mut(key) {
            None => drop(set.insert(key.clone(), default.clone())),
            Some(Value::Null) => drop(set.remove(key)),
            Some(value) => *value = coalesce(default, value.take()),
        }
    }
    values
}

/// Those of `values` that are not `defaults`: all that needs to be stored.
pub fn difference(values: &Value, defaults: &Value) -> Option<Value> {
    let (Value::Object(values), Value::Object(defaults)) = (values, defaults) else {
        return (values != defaults).then(|| values.clone());
    };
    let differing = values.iter().filter_map(|(key, value)| {
        let differing = match defaults.get(key) {
            Some(default) => difference(value, default),
            None => Some(value.clone()).filter(|value| !is_empty_map(value)),
        };
        Some((key.clone(), differing?))
    });
    let differing: Map<String, Value> = differing.collect();
    (!differing.is_empty()).then_some(Value::Object(differing))
}

fn is_empty_map(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty)
}

/// Sets a value by its place, such as `proxy.image.name`.
pub fn put(values: &mut Value, place: &str, value: impl Into<Value>) {
    let mut slot = values;
    for key in place.split('.') {
        if !slot.is_object() {
            *slot = Value::Object(Map::new());
        }
        slot = &mut slot[key];
    }
    *slot = value.into();
}

/// The value at a place, null if there is none.
pub fn at<'v>(values: &'v Value, place: &str) -> &'v Value {
    place.split('.').fold(values, |value, key| &value[key])
}

/// The text at a place; a number or a boolean as it is written, and an empty one for anything else.
pub fn text_at(values: &Value, place: &str) -> String {
    match at(values, place) {
        Value::String(text) => text.clone(),
        value @ (Value::Number(_) | Value::Bool(_)) => value.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn maps_are_merged_and_everything_else_is_replaced() {
        let mut values = json!({"a": {"b": 1, "c": [1, 2]}, "d": 1});
        merge(&mut values, json!({"a": {"c": [3], "e": null}, "d": {"f": 1}}));
        assert_eq!(values, json!({"a": {"b": 1, "c": [3], "e": null}, "d": {"f": 1}}));
    }

    #[test]
    fn null_removes_a_default() {
        let defaults = json!({"a": {"b": 1, "c": {"d": 1}}, "e": 2, "f": {}});
        let values = coalesce(&defaults, json!({"a": {"b": null, "x": 1}, "e": {"y": 1}, "f": null}));
        assert_eq!(values, json!({"a": {"c": {"d": 1}, "x": 1}, "e": {"y": 1}}));
    }

    #[test]
    fn only_what_differs_from_the_defaults_is_stored() {
        let defaults = json!({"a": {"b": 1, "c": [1]}, "d": "x", "e": {"f": 1}});
        let values = json!({"a": {"b": 1, "c": [1, 2]}, "d": null, "e": {"f": 1}, "new": {"k": 1}, "none": {}});
        let stored = difference(&values, &defaults);
        assert_eq!(stored, Some(json!({"a": {"c": [1, 2]}, "d": null, "new": {"k": 1}})));
        assert_eq!(difference(&defaults, &defaults), None);
    }

    #[test]
    fn a_place_is_made_where_there_is_none() {
        let mut values = json!({"a": 1});
        put(&mut values, "a.b.c", "x");
        put(&mut values, "n", 5);
        assert_eq!(values, json!({"a": {"b": {"c": "x"}}, "n": 5}));
        assert_eq!(text_at(&values, "a.b.c"), "x");
        assert_eq!((text_at(&values, "n").as_str(), text_at(&values, "a.z.c").as_str()), ("5", ""));
    }
}
