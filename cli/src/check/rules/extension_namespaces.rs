//! Whether each extension has one namespace.

use super::pods::{label, name};
use crate::check::{
    context::Context,
    verdict::{Finding, Verdict},
};
use k8s_openapi::api::core::v1::Namespace;
use std::collections::{BTreeMap, BTreeSet};

/// The label of an extension's namespace; its value names the extension.
pub const EXTENSION: &str = "linkerd.io/extension";

/// Each extension has one namespace.
pub async fn are_unique(context: &Context) -> Verdict {
    have_one_namespace_each(&context.reads()?.all("").await?)
}

/// The namespaces of each extension.
pub fn by_extension(namespaces: &[Namespace]) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for namespace in namespaces {
        if let Some(extension) = label(&namespace.metadata, EXTENSION) {
            found.entry(extension).or_default().insert(name(&namespace.metadata));
        }
    }
    found
}

fn have_one_namespace_each(namespaces: &[Namespace]) -> Verdict {
    let found = by_extension(namespaces);
    let lines = found.iter().filter(|(_, namespaces)| namespaces.len() > 1).map(|(extension, namespaces)| {
        let namespaces: String = namespaces.iter().map(|namespace| format!("\n\t\t* {namespace}")).collect();
        format!("\n\t* label \"{EXTENSION}={extension}\" is present on more than one namespace:{namespaces}")
    });
    let lines: String = lines.collect();
    match lines.is_empty() {
        true => Ok(()),
        false => Err(Finding::Error(format!("some extensions have invalid configuration{lines}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn namespace(name: &str, extension: Option<&str>) -> Namespace {
        let labels = extension.map(|extension| json!({ EXTENSION: extension }));
        serde_json::from_value(json!({ "metadata": { "name": name, "labels": labels } })).unwrap()
    }

    // Acceptance case 46 of installation.
    #[test]
    fn an_extension_with_two_namespaces_is_reported_with_both() {
        let mut namespaces =
            vec![namespace("b", Some("multicluster")), namespace("app", None), namespace("viz", Some("viz"))];
        assert_eq!(have_one_namespace_each(&namespaces), Ok(()));
        namespaces.push(namespace("a", Some("multicluster")));
        let expected = "some extensions have invalid configuration\
                        \n\t* label \"linkerd.io/extension=multicluster\" is present on more than one namespace:\
                        \n\t\t* a\n\t\t* b";
        assert_eq!(have_one_namespace_each(&namespaces), Err(Finding::error(expected)));
    }
}
