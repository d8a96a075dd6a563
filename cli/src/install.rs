//! `linkerd install`: the manifests that install the control plane.
//!
//! Inputs: options, files of values, and the charts as they were when this program was built. Outputs: the
//! objects that Helm would render from the same charts and values, the Namespace, and a Secret with what was
//! chosen, for upgrades. Invariants: nothing is printed unless everything is valid; one untyped tree holds the
//! values, so that a value that only the templates know works as it does with Helm.

mod arguments;
mod charts;
mod cluster;
mod credentials;
mod documents;
pub mod expected;
mod proxy_arguments;
mod set;
mod template;
mod validate;
mod values;

pub use arguments::{Format, InstallArgs};
pub use documents::{Document, print as print_documents};

use crate::{failure::Bare, global::Global, input, output};
use anyhow::{Context as _, ensure};
use arguments::ValueArgs;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use charts::{CONTROL_PLANE, CRDS, Chart, HA_VALUES};
use cluster::Found;
use credentials::Fallback;
use jiff::Timestamp;
use serde_json::{Value, json};
use set::{Kind, set};
use std::process::ExitCode;

/// Runs the command.
///
/// # Errors
/// When the values cannot work, or the cluster is not ready for them.
pub fn run(args: &InstallArgs, global: &Global) -> anyhow::Result<ExitCode> {
    let namespace = global.namespace();
    let found = match args.ignore_cluster {
        true => Found::default(),
        false => tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(look(args, global))?,
    };
    let documents = match args.crds {
        true => crds(&args.values, namespace)?,
        false => control_plane(args, &found, namespace, Timestamp::now())?,
    };
    output::print(&documents::print(&documents, args.output))?;
    if args.crds {
        eprintln!("Once these are applied, run `linkerd install | kubectl apply -f -` to install the control plane.");
    }
    Ok(ExitCode::SUCCESS)
}

/// Looks at the cluster; a failure to reach it comes with the way round it.
async fn look(args: &InstallArgs, global: &Global) -> anyhow::Result<Found> {
    let client = crate::cluster::connect(global).await.map_err(|error| {
        Bare(format!("{error:#}\nUse --ignore-cluster to print manifests without looking at the cluster."))
    })?;
    if args.crds {
        return cluster::check_absent(&client, global.namespace()).await.map(|()| Found::default());
    }
    cluster::look(&client, global.namespace(), &crds(&ValueArgs::default(), global.namespace())?).await
}

/// The objects of the chart `linkerd-crds`.
fn crds(args: &ValueArgs, namespace: &str) -> anyhow::Result<Vec<Document>> {
    let mut values = json!({});
    apply_values(&mut values, args)?;
    rendered(&CRDS, &values::coalesce(&defaults(&CRDS)?, values), namespace)
}

/// The objects of the chart `linkerd-control-plane`, and the Secret with what was chosen.
fn control_plane(args: &InstallArgs, found: &Found, namespace: &str, now: Timestamp) -> anyhow::Result<Vec<Document>> {
    let defaults = defaults(&CONTROL_PLANE)?;
    let mut chosen = chosen(args, &defaults)?;
    let mut values = values::coalesce(&defaults, chosen.clone());
    check_docker(&values, &found.docker_nodes)?;
    let external_anchors = found.external_anchors.as_deref();
    credentials::fill(&mut values, &args.identity, Fallback { namespace, external_anchors, now })?;
    for place in ["identityTrustAnchorsPEM", "identity.issuer.tls"] {
        values::put(&mut chosen, place, values::at(&values, place).clone());
    }
    validate::values(&values)?;
    let mut documents = rendered(&CONTROL_PLANE, &values, namespace)?;
    for warning in credentials::check(&values, namespace, now)? {
        eprintln!("Warning: {warning}");
    }
    validate::flags(&documents)?;
    let ignored = template::render_named(&CONTROL_PLANE, "linkerd.ignored", &values, namespace)?;
    if !ignored.is_empty() {
        eprint!("Warning: these values have no effect:\n{ignored}");
    }
    documents.push(overrides(&chosen, &defaults, namespace));
    Ok(documents)
}

/// On such nodes an init container without root cannot redirect traffic.
fn check_docker(values: &Value, nodes: &[String]) -> anyhow::Result<()> {
    if nodes.is_empty() || ["proxyInit.runAsRoot", "cniEnabled"].iter().any(|place| values::at(values, place) == true) {
        return Ok(());
    }
    let text = format!(
        "These nodes run containers with Docker, where traffic cannot be redirected without root: {}.\n\
         Give --set proxyInit.runAsRoot=true, or use the CNI plug-in.",
        nodes.join(", ")
    );
    Err(Bare(text).into())
}

/// What options and files choose, without the defaults.
fn chosen(args: &InstallArgs, defaults: &Value) -> anyhow::Result<Value> {
    let mut chosen = json!({});
    if args.control_plane.ha {
        values::merge(&mut chosen, read_values("values-ha.yaml", HA_VALUES)?);
    }
    args.control_plane.apply(&mut chosen);
    args.identity.apply(&mut chosen);
    let registry = std::env::var("LINKERD_DOCKER_REGISTRY").ok().filter(|registry| !registry.is_empty());
    args.proxy.apply(&mut chosen, defaults, registry.as_deref())?;
    apply_values(&mut chosen, &args.values)?;
    Ok(chosen)
}

fn apply_values(chosen: &mut Value, args: &ValueArgs) -> anyhow::Result<()> {
    for file in &args.files {
        for manifest in input::read(std::slice::from_ref(file))? {
            let input = manifest.as_input();
            values::merge(chosen, read_values(input.name, input.text)?);
        }
    }
    let texts = [
        ("--set", &args.set, Kind::Typed),
        ("--set-string", &args.set_string, Kind::Text),
        ("--set-file", &args.set_file, Kind::File),
    ];
    for (flag, texts, kind) in texts {
        for text in texts {
            set(chosen, text, kind).context(flag)?;
        }
    }
    Ok(())
}

fn defaults(chart: &Chart) -> anyhow::Result<Value> {
    read_values(&format!("values of {}", chart.name), chart.values)
}

fn read_values(name: &str, text: &str) -> anyhow::Result<Value> {
    let values: Value = serde_saphyr::from_str(text).with_context(|| format!("{name} is no YAML"))?;
    ensure!(values.is_object() || values.is_null(), "{name} holds no map of values");
    Ok(if values.is_null() { json!({}) } else { values })
}

fn rendered(chart: &Chart, values: &Value, namespace: &str) -> anyhow::Result<Vec<Document>> {
    let mut documents = Vec::new();
    for (path, text) in template::render(chart, values, namespace).context("failed to render the template")? {
        documents.extend(Document::read(&format!("{}/templates/{path}", chart.name), &text)?);
    }
    Ok(documents)
}

/// The Secret with what was chosen: what upgrades start from.
fn overrides(chosen: &Value, defaults: &Value, namespace: &str) -> Document {
    const NAME: &str = "linkerd-config-overrides";
    let stored = values::difference(chosen, defaults).unwrap_or_else(|| json!({}));
    let text = template::to_yaml(&stored) + "\n";
    Document::of(json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": NAME,
            "namespace": namespace,
            "labels": { "linkerd.io/control-plane-ns": namespace },
        },
        "data": { NAME: BASE64_STANDARD.encode(text) },
    }))
}
