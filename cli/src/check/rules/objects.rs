//! Whether the installed objects are there. Which ones there should be is what the charts make of the stored
//! values, so that it is never told twice.

use super::{api::served_versions, pods::name};
use crate::{
    check::{
        context::Context,
        reads::Kind,
        verdict::{Finding, Verdict, ensure},
    },
    install::{Document, expected},
};
use futures::future::try_join_all;
use k8s_openapi::{
    api::{
        admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration},
        core::v1::{Namespace, ServiceAccount},
        rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding},
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use std::{collections::BTreeSet, sync::Arc};

/// The namespace is there.
pub async fn namespace(context: &Context) -> Verdict {
    exists(context, context.namespace()).await
}

/// A namespace is there.
pub async fn exists(context: &Context, namespace: &str) -> Verdict {
    let found = context.reads()?.global::<Namespace>(namespace).await?;
    ensure(found.is_some(), || format!("The \"{namespace}\" namespace does not exist"))
}

/// ClusterRoles.
pub async fn cluster_roles(context: &Context) -> Verdict {
    all_there::<ClusterRole>(context).await
}

/// ClusterRoleBindings.
pub async fn cluster_role_bindings(context: &Context) -> Verdict {
    all_there::<ClusterRoleBinding>(context).await
}

/// Roles.
pub async fn roles(context: &Context) -> Verdict {
    all_there::<Role>(context).await
}

/// RoleBindings.
pub async fn role_bindings(context: &Context) -> Verdict {
    all_there::<RoleBinding>(context).await
}

/// ServiceAccounts.
pub async fn service_accounts(context: &Context) -> Verdict {
    all_there::<ServiceAccount>(context).await
}

/// Webhook configurations that change objects.
pub async fn mutating_webhooks(context: &Context) -> Verdict {
    all_there::<MutatingWebhookConfiguration>(context).await
}

/// Webhook configurations that judge objects.
pub async fn validating_webhooks(context: &Context) -> Verdict {
    all_there::<ValidatingWebhookConfiguration>(context).await
}

async fn all_there<K: Kind>(context: &Context) -> Verdict {
    let expected = installed(context).await?;
    let found = context.reads()?.metadata::<K>(&context.label()).await?;
    let found = found.iter().map(|object| (object.metadata.namespace.clone(), name(&object.metadata).to_owned()));
    let config = context.config().await?;
    let versions = (config.text("/linkerdVersion"), context.options.cli_version.as_str());
    has_all(&K::kind(&()), &expected, &found.collect()).map_err(|finding| of_versions(finding, versions))
}

/// What is missing of another version's objects may never have been there.
fn of_versions(finding: Finding, (control_plane, cli): (&str, &str)) -> Finding {
    match finding {
        Finding::Error(text) if control_plane != cli => Finding::Warning(format!(
            "{text}; they may belong to version {cli} of this program only, since the control plane has version {control_plane}"
        )),
        finding => finding,
    }
}

/// The objects that the stored values make.
async fn installed(context: &Context) -> Result<Arc<Vec<Document>>, Finding> {
    let config = context.config().await?;
    let render = async { Ok(expected::with_values(&config.tree, context.namespace())?) };
    context.reads()?.once("expected objects".to_owned(), render).await
}

fn has_all(kind: &str, expected: &[Document], found: &BTreeSet<(Option<String>, String)>) -> Verdict {
    let missing = expected.iter().filter(|document| document.kind() == kind).filter(|document| {
        let namespace = document.object["metadata"]["namespace"].as_str().map(str::to_owned);
        !found.contains(&(namespace, document.name().to_owned()))
    });
    let missing: BTreeSet<&str> = missing.map(Document::name).collect();
    ensure(missing.is_empty(), || {
        let missing: Vec<&str> = missing.into_iter().collect();
        format!(
            "missing {kind}s of this control plane: {}; apply the manifests of the installation again",
            missing.join(", ")
        )
    })
}

/// The custom resource definitions, with the versions that are read.
pub async fn definitions(context: &Context) -> Verdict {
    let reads = context.reads()?;
    let wanted = wanted(&expected::definitions(context.namespace())?);
    let found = wanted.iter().map(|(name, _)| reads.global::<CustomResourceDefinition>(name));
    let found = try_join_all(found).await?;
    let served: Vec<Vec<String>> =
        found.iter().map(|found| Option::as_ref(found).map(served_versions).unwrap_or_default()).collect();
    are_served(&wanted, &served)
}

/// Name and stored version of each definition.
fn wanted(definitions: &[Document]) -> Vec<(String, String)> {
    let version = |definition: &Document| {
        let versions = definition.object["spec"]["versions"].as_array()?;
        Some(versions.iter().find(|version| version["storage"] == true)?["name"].as_str()?.to_owned())
    };
    definitions
        .iter()
        .map(|definition| (definition.name().to_owned(), version(definition).unwrap_or_default()))
        .collect()
}

fn are_served(wanted: &[(String, String)], served: &[Vec<String>]) -> Verdict {
    let missing = wanted.iter().zip(served).filter(|((_, version), served)| !served.contains(version));
    let missing: BTreeSet<String> = missing.map(|((name, version), _)| format!("{name} {version}")).collect();
    ensure(missing.is_empty(), || {
        let missing: Vec<String> = missing.into_iter().collect();
        format!(
            "missing CustomResourceDefinitions: {}; install them with `linkerd install --crds | kubectl apply -f -`",
            missing.join(", ")
        )
    })
}

#[cfg(test)]
mod tests;
