//! Whether labels and annotations are where they are read.

use super::pods::id;
use crate::check::{
    context::Context,
    rules::data_plane::proxies,
    verdict::{Finding, Verdict},
};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::ObjectMeta;
use linkerd_k8s::names::annotation::INJECT;

/// Labels of pods that only mean something as annotations.
pub async fn of_pods(context: &Context) -> Verdict {
    let pods = context.reads()?.maybe_within::<Pod>(context.options.data_plane_namespace.as_deref()).await?;
    let pods = proxies(&pods, context.namespace()).map(|pod| &pod.metadata);
    nothing_misplaced("Some labels on data plane pods should be annotations:", pods, misplaced_labels)
}

/// Labels of Services that only mean something as annotations.
pub async fn of_services(context: &Context) -> Verdict {
    let services = context.reads()?.maybe_within::<Service>(context.options.data_plane_namespace.as_deref()).await?;
    let services = services.iter().map(|service| &service.metadata);
    nothing_misplaced("Some labels on data plane services should be annotations:", services, misplaced_labels)
}

/// Annotations of Services that only mean something as labels.
pub async fn annotations_of_services(context: &Context) -> Verdict {
    let services = context.reads()?.maybe_within::<Service>(context.options.data_plane_namespace.as_deref()).await?;
    let services = services.iter().map(|service| &service.metadata);
    nothing_misplaced("Some annotations on data plane services should be labels:", services, misplaced_annotations)
}

fn misplaced_labels(metadata: &ObjectMeta) -> Vec<&str> {
    let is_misplaced = |key: &&str| {
        let is_config = ["config.linkerd.io", "config.alpha.linkerd.io"].iter().any(|prefix| key.starts_with(prefix));
        is_config || *key == INJECT
    };
    metadata.labels.iter().flatten().map(|(key, _)| key.as_str()).filter(is_misplaced).collect()
}

fn misplaced_annotations(metadata: &ObjectMeta) -> Vec<&str> {
    let keys = metadata.annotations.iter().flatten().map(|(key, _)| key.as_str());
    keys.filter(|key| *key == "mirror.linkerd.io/exported").collect()
}

fn nothing_misplaced<'a>(
    heading: &str,
    objects: impl Iterator<Item = &'a ObjectMeta>,
    misplaced: fn(&ObjectMeta) -> Vec<&str>,
) -> Verdict {
    let lines = objects.filter_map(|metadata| {
        let keys: String = misplaced(metadata).iter().map(|key| format!("\n\t\t{key}")).collect();
        (!keys.is_empty()).then(|| format!("\n\t* {}{keys}", id(metadata)))
    });
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    if lines.is_empty() { Ok(()) } else { Err(Finding::Error(format!("{heading}{}", lines.concat()))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::rules::builder::pod;

    #[test]
    fn labels_that_should_be_annotations_are_listed_below_their_objects() {
        let pods = [
            pod("b").label("linkerd.io/inject", "enabled").label("config.linkerd.io/opaque-ports", "1").build(),
            pod("a").label("config.alpha.linkerd.io/x", "y").build(),
            pod("good").annotation("linkerd.io/inject", "enabled").build(),
        ];
        let found = nothing_misplaced("wrong:", pods.iter().map(|pod| &pod.metadata), misplaced_labels);
        let expected = "wrong:\n\t* app/a\n\t\tconfig.alpha.linkerd.io/x\
                        \n\t* app/b\n\t\tconfig.linkerd.io/opaque-ports\n\t\tlinkerd.io/inject";
        assert_eq!(found, Err(Finding::error(expected)));
    }

    #[test]
    fn the_annotation_that_should_be_a_label_is_found() {
        let objects = [pod("a").annotation("mirror.linkerd.io/exported", "true").build(), pod("b").build()];
        let found = nothing_misplaced("wrong:", objects.iter().map(|pod| &pod.metadata), misplaced_annotations);
        assert_eq!(found, Err(Finding::error("wrong:\n\t* app/a\n\t\tmirror.linkerd.io/exported")));
        let labelled = [pod("b").label("mirror.linkerd.io/exported", "true").build()];
        assert_eq!(
            nothing_misplaced("wrong:", labelled.iter().map(|pod| &pod.metadata), misplaced_annotations),
            Ok(())
        );
    }
}
