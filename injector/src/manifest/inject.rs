//! `linkerd inject`: writes annotations, or the whole proxy, into manifests.

use crate::{
    core::{
        config::Config,
        decision::{self, SkipReason},
        inject as core_inject,
        pod::{MetaView, PodView},
        trust::{InvalidAnchors, TrustAnchors},
        validate::InvalidValues,
        values::Values,
        workload::Workload,
    },
    manifest::{
        Failed, Format, Input, Transformed,
        document::{self, Document},
        object,
        overrides::Overrides,
        report::{self, Findings},
        uninject::strip,
    },
};
use linkerd_k8s::{
    names::{annotation, label},
    pod::Protocol,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// How to inject.
#[derive(Clone, Copy, Debug)]
pub struct InjectOptions<'a> {
    /// Annotations that the flags ask for.
    pub overrides: &'a Overrides,
    /// Whether proxies have a token of their own: `identity.serviceAccountTokenProjection`.
    pub token_projection: bool,
    /// Writes the whole proxy instead of annotations.
    pub manual: Option<&'a Manual>,
    /// Form of the output.
    pub format: Format,
}

/// What is needed to write the whole proxy.
#[derive(Clone, Debug)]
pub struct Manual(Config);

/// Why the whole proxy cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ManualError {
    /// The values have no trust anchors: they are those of a chart, not of a cluster.
    #[error("Please provide the identity trust anchors")]
    NoAnchors,
    /// The trust anchors cannot be used.
    #[error(transparent)]
    Anchors(#[from] InvalidAnchors),
    /// The values cannot be used.
    #[error(transparent)]
    Values(#[from] InvalidValues),
}

impl Manual {
    /// Prepares values of a cluster, which have its trust anchors.
    ///
    /// # Errors
    /// Values or trust anchors that no proxy could use.
    pub fn new(values: Values, control_plane_namespace: &str) -> Result<Self, ManualError> {
        if values.identity_trust_anchors_pem.trim().is_empty() {
            return Err(ManualError::NoAnchors);
        }
        let anchors = TrustAnchors::parse(&values.identity_trust_anchors_pem)?;
        Ok(Self(Config::new(values, control_plane_namespace, anchors)?))
    }
}

/// Injects manifests.
///
/// # Errors
/// Every document that cannot be read and every workload that cannot be injected.
pub fn inject(inputs: &[Input<'_>], options: &InjectOptions<'_>) -> Result<Transformed, Failed> {
    let mut run = Run { options, findings: Findings::default(), summary: Vec::new(), errors: Vec::new() };
    let mut manifests = String::new();
    for input in inputs {
        match document::read(*input) {
            Ok(documents) => documents.into_iter().for_each(|document| run.document(document, &mut manifests)),
            Err(found) => run.errors.extend(found),
        }
    }
    if !run.errors.is_empty() {
        return Err(Failed(run.errors));
    }
    Ok(Transformed { manifests, report: run.findings.into_report(run.summary) })
}

struct Run<'a> {
    options: &'a InjectOptions<'a>,
    findings: Findings,
    summary: Vec<String>,
    errors: Vec<String>,
}

/// What became of an object.
enum Outcome {
    Injected,
    Annotated,
    Skipped,
}

impl Run<'_> {
    fn document(&mut self, document: Document<'_>, manifests: &mut String) {
        let mut value = document.value.clone();
        let is_changed = match object::items(&mut value) {
            Some(items) => items.iter_mut().map(|item| self.object(item)).fold(false, |any, changed| any | changed),
            None => self.object(&mut value),
        };
        if is_changed {
            document::write(&value, self.options.format, manifests);
        } else {
            document::write_unchanged(&document, self.options.format, manifests);
        }
    }

    /// Transforms one object. Returns whether it changed.
    fn object(&mut self, value: &mut Value) -> bool {
        let original = value.clone();
        let kind = object::kind(value);
        let is_ingress = Workload::from_kind(&kind).is_some_and(|workload| wants_ingress(value, workload));
        strip(value);
        let outcome = match (Workload::from_kind(&kind), kind.as_str()) {
            (Some(workload), _) => self.workload(value, workload, is_ingress),
            (None, "namespace") => self.namespace(value),
            (None, "service") => self.service(value),
            (None, _) => Outcome::Skipped,
        };
        self.findings.any_supported |=
            Workload::from_kind(&kind).is_some() || ["namespace", "service"].contains(&kind.as_str());
        let what = match outcome {
            Outcome::Injected => "injected",
            Outcome::Annotated => "annotated",
            Outcome::Skipped => "skipped",
        };
        self.summary.push(report::line(&kind, object::name(value), what));
        if *value == original {
            return false;
        }
        object::tidy(value);
        true
    }

    fn namespace(&self, value: &mut Value) -> Outcome {
        let mut annotations = BTreeMap::from([(annotation::INJECT, "enabled".to_owned())]);
        annotations.extend(self.options.overrides.everywhere.clone());
        object::annotate(value, &annotations);
        Outcome::Annotated
    }

    fn service(&self, value: &mut Value) -> Outcome {
        let Some(ports) = self.options.overrides.opaque_ports() else { return Outcome::Skipped };
        object::annotate(value, &BTreeMap::from([(annotation::OPAQUE_PORTS, ports.to_owned())]));
        Outcome::Annotated
    }

    fn workload(&mut self, value: &mut Value, workload: Workload, is_ingress: bool) -> Outcome {
        let called = format!("{}/{}", workload.name(), object::name(value));
        let (meta, pod) = match read(value, workload) {
            Ok(read) => read,
            Err(reason) => return self.fail(&called, &reason),
        };
        if pod.meta.labels.contains_key(label::CONTROL_PLANE_COMPONENT) && self.options.manual.is_none() {
            self.errors.push("--manual must be set when injecting control plane components".to_owned());
            return Outcome::Skipped;
        }
        let (is_disabled, reasons) = self.find(&called, &pod);
        if is_disabled {
            return Outcome::Skipped;
        }
        if !reasons.is_empty() {
            return self.fail(&called, &reasons.join(", "));
        }
        self.annotate(value, workload, is_ingress);
        match self.options.manual {
            None => Outcome::Injected,
            Some(manual) => match write_proxy(value, workload, &meta, &manual.0) {
                Ok(warnings) => {
                    self.findings.notes.extend(warnings.into_iter().map(|warning| format!("{called}: {warning}")));
                    Outcome::Injected
                }
                Err(reason) => self.fail(&called, &reason),
            },
        }
    }

    fn fail(&mut self, called: &str, reason: &str) -> Outcome {
        self.errors.push(format!("failed to inject {called}: {reason}"));
        Outcome::Skipped
    }

    /// Notes what there is to say about a workload. Returns whether it opts out, and why else it cannot
    /// be injected.
    fn find(&mut self, called: &str, pod: &PodView) -> (bool, Vec<&'static str>) {
        let mut reasons = Vec::new();
        if pod.spec.automount_service_account_token == Some(false) && !self.options.token_projection {
            reasons.push(SkipReason::NoServiceAccountToken.text());
        }
        if pod.spec.host_network {
            self.findings.host_network.push(called.to_owned());
            reasons.push(SkipReason::HostNetwork.text());
        }
        if decision::has_sidecar(pod) {
            self.findings.sidecar.push(called.to_owned());
            reasons.push(SkipReason::SidecarExists.text());
        }
        let mut ports = pod.all_containers().flat_map(|container| &container.ports);
        if ports.any(|port| port.protocol == Protocol::Udp) {
            self.findings.udp.push(called.to_owned());
            if !reasons.is_empty() {
                reasons.push("UDP port(s) configured on pod spec");
            }
        }
        // An opt-out is the way to keep a workload that cannot be injected in a file that is.
        let is_disabled = pod.meta.annotations.get(annotation::INJECT).is_some_and(|value| value == "disabled");
        if is_disabled {
            self.findings.disabled.push(called.to_owned());
        }
        (is_disabled, reasons)
    }

    fn annotate(&self, value: &mut Value, workload: Workload, is_ingress: bool) {
        let overrides = self.options.overrides;
        let mut annotations = overrides.everywhere.clone();
        annotations.extend(overrides.templates.clone());
        if is_ingress {
            annotations.insert(annotation::INJECT, "ingress".to_owned());
        } else if self.options.manual.is_none() {
            annotations.entry(annotation::INJECT).or_insert_with(|| "enabled".to_owned());
        }
        if let Some(template) = object::template_or_new(value, workload) {
            object::annotate(template, &annotations);
        }
    }
}

fn wants_ingress(value: &Value, workload: Workload) -> bool {
    let annotations = object::template(value, workload)
        .and_then(|template| template.get("metadata"))
        .and_then(|metadata| metadata.get("annotations"));
    annotations.and_then(|annotations| annotations.get(annotation::INJECT)).is_some_and(|value| value == "ingress")
}

fn read(value: &Value, workload: Workload) -> Result<(MetaView, PodView), String> {
    let object = value.as_object().ok_or("the document is not an object")?;
    let meta = MetaView::read(object).map_err(|error| error.to_string())?;
    let pod = match object::template(value, workload) {
        None | Some(Value::Null) => PodView::default(),
        Some(template) => PodView::read(template).map_err(|error| error.to_string())?,
    };
    Ok((meta, pod))
}

/// Writes the proxy into a workload, and returns warnings.
fn write_proxy(value: &mut Value, workload: Workload, meta: &MetaView, config: &Config) -> Result<Vec<String>, String> {
    // The flags have become annotations of the template since it was read first.
    let (_, pod) = read(value, workload)?;
    let created_by = format!("linkerd/cli {}", crate::VERSION);
    let (patch, warnings) =
        core_inject::inject(config, workload, meta, &pod, &created_by).map_err(|rejection| rejection.to_string())?;
    patch.apply(value).map_err(|misfit| misfit.to_string())?;
    Ok(warnings)
}
