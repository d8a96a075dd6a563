//! `linkerd uninject`: takes out of manifests what injection writes into them.

use crate::{
    core::{volumes, workload::Workload},
    manifest::{
        Failed, Format, Input, Transformed,
        document::{self, Document},
        object,
        report::{self, Report},
    },
};
use linkerd_k8s::names::{DEBUG_CONTAINER, INIT_CONTAINER, PROXY_CONTAINER, VALIDATOR_CONTAINER, annotation, label};
use serde_json::{Value, json};

/// Removes proxies and annotations from manifests.
///
/// # Errors
/// Documents that cannot be read.
pub fn uninject(inputs: &[Input<'_>], format: Format) -> Result<Transformed, Failed> {
    let (mut errors, mut manifests, mut report) = (Vec::new(), String::new(), Report::default());
    for input in inputs {
        match document::read(*input) {
            Ok(documents) => {
                for document in documents {
                    transform(document, format, &mut manifests, &mut report);
                }
            }
            Err(found) => errors.extend(found),
        }
    }
    if errors.is_empty() { Ok(Transformed { manifests, report }) } else { Err(Failed(errors)) }
}

fn transform(document: Document<'_>, format: Format, manifests: &mut String, report: &mut Report) {
    let mut value = document.value.clone();
    let removed = match object::items(&mut value) {
        Some(items) => {
            let each = items.iter_mut().map(|item| one(item, report));
            each.fold(false, |any, removed| any | removed)
        }
        None => one(&mut value, report),
    };
    if removed {
        document::write(&value, format, manifests);
    } else {
        document::write_unchanged(&document, format, manifests);
    }
}

fn one(value: &mut Value, report: &mut Report) -> bool {
    let removed = strip(value);
    let what = if removed { "uninjected" } else { "skipped" };
    report.summary.push(report::line(&object::kind(value), object::name(value), what));
    removed
}

/// Removes what injection wrote into one object. Returns whether there was anything.
pub fn strip(value: &mut Value) -> bool {
    let kind = object::kind(value);
    let removed = match Workload::from_kind(&kind) {
        Some(workload) => {
            let keeps_metadata = is_control_plane(value) || template(value, workload).is_some_and(is_control_plane);
            let from_spec = strip_spec(value, workload);
            let from_object = !keeps_metadata && strip_metadata(value);
            let from_template = !keeps_metadata
                && workload != Workload::Pod
                && object::template_mut(value, workload).is_some_and(strip_metadata);
            from_spec | from_object | from_template
        }
        None if ["namespace", "service"].contains(&kind.as_str()) => !is_control_plane(value) && strip_metadata(value),
        None => false,
    };
    if removed {
        object::tidy(value);
    }
    removed
}

fn template(value: &Value, workload: Workload) -> Option<&Value> {
    object::template(value, workload)
}

fn is_control_plane(object: &Value) -> bool {
    object
        .get("metadata")
        .and_then(|metadata| metadata.get("labels"))
        .is_some_and(|labels| labels.get(label::CONTROL_PLANE_COMPONENT).is_some())
}

fn strip_spec(value: &mut Value, workload: Workload) -> bool {
    let Some(spec) = object::template_mut(value, workload).and_then(|template| template.get_mut("spec")) else {
        return false;
    };
    let init_containers = [INIT_CONTAINER, PROXY_CONTAINER, VALIDATOR_CONTAINER];
    let added_volumes = [volumes::END_ENTITY, volumes::XTABLES_LOCK, volumes::TOKEN, volumes::PODINFO];
    let from_init = object::remove_named(spec, "initContainers", &init_containers);
    let from_containers = object::remove_named(spec, "containers", &[PROXY_CONTAINER, DEBUG_CONTAINER]);
    let from_volumes = object::remove_named(spec, "volumes", &added_volumes);
    from_init | from_containers | from_volumes
}

/// `config.linkerd.io/*` and an opt-out are the user's own.
fn strip_metadata(object: &mut Value) -> bool {
    let Some(metadata) = object.get_mut("metadata") else { return false };
    let is_ours = |key: &str| key.starts_with("linkerd.io");
    let is_opt_out = |key: &str, value: &Value| key == annotation::INJECT && *value == json!("disabled");
    let from_annotations =
        object::remove_entries(metadata, "annotations", |key, value| is_ours(key) && !is_opt_out(key, value));
    let from_labels = object::remove_entries(metadata, "labels", |key, _| is_ours(key));
    let is_empty = metadata.as_object().is_some_and(serde_json::Map::is_empty);
    if (from_annotations || from_labels)
        && is_empty
        && let Some(object) = object.as_object_mut()
    {
        object.remove("metadata");
    }
    from_annotations | from_labels
}
