//! Untyped objects of manifests: where their parts are, and how they are tidied for output.

use crate::core::workload::Workload;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Kind of an object, in lower case; empty when it has none.
pub fn kind(object: &Value) -> String {
    object.get("kind").and_then(Value::as_str).unwrap_or_default().to_lowercase()
}

/// How reports name an object: its name, or what its name is generated from.
pub fn name(object: &Value) -> &str {
    let field = |field: &str| object.get("metadata")?.get(field)?.as_str().filter(|text| !text.is_empty());
    field("name").or_else(|| field("generateName")).unwrap_or_default()
}

/// Items of a List.
pub fn items(object: &mut Value) -> Option<&mut Vec<Value>> {
    if kind(object) == "list" { object.get_mut("items")?.as_array_mut() } else { None }
}

/// The pod template of a workload; the object itself for a Pod.
pub fn template(object: &Value, workload: Workload) -> Option<&Value> {
    object.pointer(workload.template_pointer())
}

/// The pod template of a workload.
pub fn template_mut(object: &mut Value, workload: Workload) -> Option<&mut Value> {
    object.pointer_mut(workload.template_pointer())
}

/// The pod template of a workload, made where it is missing: a manifest may be a fragment.
pub fn template_or_new(object: &mut Value, workload: Workload) -> Option<&mut Value> {
    let keys = workload.template_pointer().split('/').skip(1);
    keys.into_iter().try_fold(object, |parent, key| {
        let child = parent.as_object_mut()?.entry(key).or_insert(Value::Null);
        if child.is_null() {
            *child = json!({});
        }
        Some(child)
    })
}

/// Sets annotations, making room for them.
pub fn annotate(object: &mut Value, annotations: &BTreeMap<&'static str, String>) {
    let Some(object) = object.as_object_mut().filter(|_| !annotations.is_empty()) else { return };
    let mut metadata = take_map(object, "metadata");
    let mut present = take_map(&mut metadata, "annotations");
    for (key, value) in annotations {
        present.insert((*key).to_owned(), json!(value));
    }
    metadata.insert("annotations".to_owned(), Value::Object(present));
    object.insert("metadata".to_owned(), Value::Object(metadata));
}

fn take_map(parent: &mut Map<String, Value>, key: &str) -> Map<String, Value> {
    match parent.remove(key) {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// Removes the entries of a map under `field` that a rule picks, and the map once it is empty.
/// Returns whether any was removed.
pub fn remove_entries(parent: &mut Value, field: &str, is_removed: impl Fn(&str, &Value) -> bool) -> bool {
    let Some(map) = parent.get_mut(field).and_then(Value::as_object_mut) else { return false };
    let before = map.len();
    map.retain(|key, value| !is_removed(key, value));
    let (removed, is_empty) = (map.len() < before, map.is_empty());
    if removed
        && is_empty
        && let Some(parent) = parent.as_object_mut()
    {
        parent.remove(field);
    }
    removed
}

/// Removes the items of a list under `field` that have one of these names, and the list once it is
/// empty. Returns whether any was removed.
pub fn remove_named(parent: &mut Value, field: &str, names: &[&str]) -> bool {
    let Some(list) = parent.get_mut(field).and_then(Value::as_array_mut) else { return false };
    let before = list.len();
    list.retain(|item| !item.get("name").and_then(Value::as_str).is_some_and(|name| names.contains(&name)));
    let (removed, is_empty) = (list.len() < before, list.is_empty());
    if removed
        && is_empty
        && let Some(parent) = parent.as_object_mut()
    {
        parent.remove(field);
    }
    removed
}

/// Drops what tools write into manifests without meaning: empty `status`, `strategy` and `resources`,
/// and `null` times of creation.
pub fn tidy(object: &mut Value) {
    let Some(map) = object.as_object_mut() else { return };
    drop_if(map, "status", is_blank);
    drop_if(map, "spec", is_blank);
    tidy_metadata(map);
    if let Some(spec) = map.get_mut("spec").and_then(Value::as_object_mut) {
        for field in ["strategy", "updateStrategy"] {
            drop_if(spec, field, is_blank);
        }
    }
    let Some(workload) = Workload::from_kind(&kind(object)) else { return };
    if workload == Workload::CronJob
        && let Some(job) = object.pointer_mut("/spec/jobTemplate").and_then(Value::as_object_mut)
    {
        tidy_metadata(job);
    }
    let Some(template) = template_mut(object, workload).and_then(Value::as_object_mut) else { return };
    if workload != Workload::Pod {
        tidy_metadata(template);
    }
    for list in ["initContainers", "containers"] {
        let containers = template.get_mut("spec").and_then(|spec| spec.get_mut(list)).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten().filter_map(Value::as_object_mut) {
            drop_if(container, "resources", is_blank);
        }
    }
}

fn tidy_metadata(object: &mut Map<String, Value>) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        drop_if(metadata, "creationTimestamp", Value::is_null);
    }
}

fn drop_if(map: &mut Map<String, Value>, field: &str, is_dropped: impl Fn(&Value) -> bool) {
    if map.get(field).is_some_and(is_dropped) {
        map.remove(field);
    }
}

fn is_blank(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty)
}
