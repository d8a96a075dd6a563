//! `linkerd uninstall`: the objects of a control plane, for `kubectl delete`.

use crate::{
    cluster,
    failure::Bare,
    global::Global,
    install::{Document, Format, print_documents},
    output,
};
use anyhow::Context as _;
use clap::Args;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams},
};
use linkerd_controller::args::go_bool;
use serde_json::json;
use std::{collections::BTreeSet, process::ExitCode};

/// Print what `kubectl delete` needs to remove Linkerd
///
///   linkerd uninstall | kubectl delete -f -
///
/// With the custom resource definitions go all objects of these kinds; keep them with --keep-crds.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct UninstallArgs {
    /// Even if there are extensions, or pods with proxies
    #[arg(long, short, value_parser = go_bool, num_args = 0..=1, default_missing_value = "true",
          require_equals = true, value_name = "BOOL", default_value = "false", hide_default_value = true)]
    force: bool,
    /// Keep the custom resource definitions, and the objects of their kinds
    #[arg(long, value_parser = go_bool, num_args = 0..=1, default_missing_value = "true", require_equals = true,
          value_name = "BOOL", default_value = "false", hide_default_value = true)]
    keep_crds: bool,
    /// Form of the output: YAML, or a line of JSON for each object
    #[arg(long, short, value_enum, default_value = "yaml", value_name = "FORMAT")]
    output: Format,
}

const DEFINITION: &str = "CustomResourceDefinition";
/// Group, version and kind of what is not deleted with the namespace, in the order in which it is deleted.
const KINDS: [(&str, &str, &str); 9] = [
    ("rbac.authorization.k8s.io", "v1", "ClusterRole"),
    ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding"),
    ("rbac.authorization.k8s.io", "v1", "Role"),
    ("rbac.authorization.k8s.io", "v1", "RoleBinding"),
    ("apiextensions.k8s.io", "v1", DEFINITION),
    ("apiregistration.k8s.io", "v1", "APIService"),
    ("admissionregistration.k8s.io", "v1", "MutatingWebhookConfiguration"),
    ("admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration"),
    ("", "v1", "Namespace"),
];
/// Objects that are read at once.
const PAGE: u32 = 500;

/// Runs the command.
///
/// # Errors
/// When the cluster cannot be asked, there is nothing to remove, or something would break.
pub fn run(args: &UninstallArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let documents = runtime.block_on(async {
        let client = cluster::connect(global).await?;
        if !args.force {
            check_unused(&client, global.namespace()).await?;
        }
        found(&client, global.namespace(), args.keep_crds).await
    });
    let documents = documents.map_err(|error| Bare(format!("{error:#}")))?;
    output::print(&print_documents(&documents, args.output))?;
    Ok(ExitCode::SUCCESS)
}

async fn found(client: &Client, namespace: &str, keeps_definitions: bool) -> anyhow::Result<Vec<Document>> {
    let label = format!("linkerd.io/control-plane-ns={namespace}");
    let mut documents = Vec::new();
    for kind in KINDS.iter().filter(|(.., kind)| !(keeps_definitions && *kind == DEFINITION)) {
        let (group, version, kind) = *kind;
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        for Named { namespace, name } in list(client, &resource, &label).await? {
            let mut metadata = json!({ "name": name });
            if let Some(namespace) = namespace {
                metadata["namespace"] = namespace.into();
            }
            let api_version = &resource.api_version;
            documents.push(Document::of(json!({ "apiVersion": api_version, "kind": kind, "metadata": metadata })));
        }
    }
    anyhow::ensure!(!documents.is_empty(), "No resources found to uninstall");
    Ok(documents)
}

/// Checks that nothing depends on the control plane.
async fn check_unused(client: &Client, namespace: &str) -> anyhow::Result<()> {
    const EXTENSION: &str = "linkerd.io/extension";
    let resource = |kind| ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", kind));
    let extensions = list(client, &resource("Namespace"), EXTENSION).await?;
    let extensions: BTreeSet<String> = extensions.into_iter().map(|namespace| namespace.name).collect();
    let meshed = format!("linkerd.io/control-plane-ns={namespace},!linkerd.io/control-plane-component");
    let pods = list(client, &resource("Pod"), &meshed).await?;
    let pods: BTreeSet<String> = pods
        .into_iter()
        .map(|pod| (pod.namespace.unwrap_or_default(), pod.name))
        .filter(|(its_namespace, _)| its_namespace != namespace && !extensions.contains(its_namespace))
        .map(|(namespace, name)| format!("{namespace}/{name}"))
        .collect();
    let mut text = String::new();
    for (what, names) in [
        ("Uninstall these extensions first; they are in the namespaces:", extensions),
        ("Remove the proxies from these pods first, or delete them:", pods),
    ] {
        if !names.is_empty() {
            let names: String = names.iter().map(|name| format!("\t* {name}\n")).collect();
            text.push_str(&format!("{what}\n{names}"));
        }
    }
    anyhow::ensure!(text.is_empty(), "{text}Or use --force to go on all the same.");
    Ok(())
}

/// Where an object is.
struct Named {
    namespace: Option<String>,
    name: String,
}

/// All objects of a kind with a label.
async fn list(client: &Client, resource: &ApiResource, labels: &str) -> anyhow::Result<Vec<Named>> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), resource);
    let mut parameters = ListParams::default().labels(labels).limit(PAGE);
    let mut named = Vec::new();
    loop {
        let page = match api.list_metadata(&parameters).await {
            // A kind that the cluster does not have has no objects.
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(named),
            page => page.with_context(|| format!("cannot list objects of kind {}", resource.kind))?,
        };
        named.extend(page.items.into_iter().map(|object| Named {
            namespace: object.metadata.namespace,
            name: object.metadata.name.unwrap_or_default(),
        }));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => parameters = parameters.continue_token(&token),
            None => return Ok(named),
        }
    }
}
