//! The webhook: decisions of the core over HTTPS.

use crate::{
    args::Args,
    config_files::{ConfigFiles, Paths},
    core::{
        config::Namespace as NamespaceView,
        decision::SkipReason,
        inject::{Action, Mutation, mutate},
        owner::{self, FirstStep, Owner},
        pod::MetaView,
        workload::Workload,
    },
    events::{self, What},
    lookup::{Lookup, Namespaces},
    metrics::{Failure, Metrics, Subject},
};
use linkerd_controller::{
    events::Events,
    listen::Listener,
    source::{Shared, Source, Watches},
    tasks::{BoxError, Tasks},
    webhook::{self, Admission, AdmissionRequest, Fault, Verdict},
    webhook_certificate::WebhookKind,
};
use linkerd_k8s::{Namespace, OwnerReference};
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::time::Instant;

/// Starts the webhook's tasks.
///
/// # Errors
/// When the address is taken, or there is no way to a cluster.
pub async fn start(args: Args, tasks: Tasks) -> Result<(), BoxError> {
    let metrics = tasks.metrics.register(Metrics::register);
    let certificate =
        args.certificate.certificate(&args.common, &args.linkerd_namespace, WebhookKind::Mutating, &tasks).await?;
    let listener = Listener::bind(args.addr)?.with_tls(certificate.server_config(&["h2", "http/1.1"])?);
    let paths = Paths { values: args.values, anchors: args.trust_anchors };
    let config = ConfigFiles::follow(&tasks, paths, &args.linkerd_namespace, &metrics);
    let source = Source::open(&args.common, &tasks).await?;
    let namespaces: Shared<Namespaces> = Arc::new(Mutex::new(Namespaces::new(&metrics)));
    Watches::new(source.clone(), &tasks).watch::<Namespace, _>(&namespaces);
    let events = match &source {
        Source::Cluster(client) => {
            Events::written(client.clone(), events::COMPONENT, metrics.events_lost.clone(), &tasks)
        }
        Source::Memory(_) => Events::none(),
    };
    let injector = Injector { config, namespaces, lookup: Lookup::new(source), events, metrics };
    let router = webhook::router(Arc::new(injector));
    tasks.spawn_draining("webhook", listener.serve(router, tasks.shutdown().clone()));
    Ok(())
}

/// Injects pods and annotates Services.
pub struct Injector {
    /// The configuration in force.
    pub config: ConfigFiles,
    /// Annotations of namespaces.
    pub namespaces: Shared<Namespaces>,
    /// What the watch of namespaces does not tell.
    pub lookup: Lookup,
    /// Where events go.
    pub events: Events,
    /// What is counted.
    pub metrics: Metrics,
}

impl Admission for Injector {
    async fn review(&self, request: AdmissionRequest) -> Result<Verdict, Fault> {
        let began = Instant::now();
        let verdict = self.judge(request).await;
        self.metrics.took(began.elapsed());
        verdict
    }
}

/// An object that is being created, and what it belongs to.
struct Object {
    kind: String,
    meta: MetaView,
    namespace: NamespaceView,
    owner: Owner,
    /// The owner as an object, for events.
    owner_object: Option<OwnerReference>,
}

impl Injector {
    async fn judge(&self, request: AdmissionRequest) -> Result<Verdict, Fault> {
        let config = self.config.current().map_err(|error| {
            self.metrics.failure(Failure::Config);
            Fault(format!("there is no configuration to inject with: {error}"))
        })?;
        let meta = match request.object.as_object().map(MetaView::read) {
            Some(Ok(meta)) => meta,
            Some(Err(malformed)) => return Ok(self.deny(Failure::Malformed, malformed.to_string())),
            None => return Ok(self.deny(Failure::Malformed, "the request has no object".to_owned())),
        };
        let object = self.object(&request, meta).await?;
        match mutate(&config, &object.namespace, &object.owner, &object.kind, &request.object) {
            Ok(mutation) => Ok(self.answer(&object, mutation, request.dry_run.unwrap_or_default())),
            Err(malformed) => Ok(self.deny(Failure::Malformed, malformed.to_string())),
        }
    }

    async fn object(&self, request: &AdmissionRequest, meta: MetaView) -> Result<Object, Fault> {
        let own_kind = request.object["kind"].as_str().filter(|kind| !kind.is_empty());
        let kind = own_kind.unwrap_or(&request.kind.kind).to_owned();
        let name = if request.namespace.is_empty() { &meta.namespace } else { &request.namespace };
        let namespace = self.namespace(name).await?;
        let (owner, owner_object) = match Workload::from_kind(&kind) {
            Some(Workload::Pod) => self.owner(&namespace.name, &meta).await,
            _ => (Owner { kind: kind.to_lowercase(), name: meta.name.clone() }, None),
        };
        Ok(Object { kind, meta, namespace, owner, owner_object })
    }

    /// A namespace, which may be so new that the watch has not told of it yet.
    async fn namespace(&self, name: &str) -> Result<NamespaceView, Fault> {
        if let Some(known) = self.namespaces.lock().get(name) {
            return Ok(known);
        }
        let reason = match self.lookup.namespace(name).await {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => format!("the namespace {name:?} does not exist"),
            Err(error) => error.to_string(),
        };
        self.metrics.failure(Failure::Namespace);
        Err(Fault(reason))
    }

    /// The owner of a pod. That it cannot be found never holds a pod back.
    async fn owner(&self, namespace: &str, meta: &MetaView) -> (Owner, Option<OwnerReference>) {
        let mut candidates = meta.owner_references.clone();
        let owner = match owner::first_step(&meta.name, &meta.owner_references) {
            FirstStep::Known(owner) => owner,
            FirstStep::Lookup(between) => {
                let owners = self.lookup.owners(namespace, &between).await;
                let owner = owner::second_step(&between, owners.as_deref());
                candidates.extend(owners.unwrap_or_default());
                owner
            }
        };
        let is_owner = |reference: &OwnerReference| {
            !owner.known_kind().is_empty()
                && reference.kind.to_lowercase() == owner.kind
                && reference.name == owner.name
        };
        let object = candidates.into_iter().find(is_owner);
        (owner, object)
    }

    fn deny(&self, failure: Failure, message: String) -> Verdict {
        self.metrics.failure(failure);
        Verdict::deny(message)
    }

    fn answer(&self, object: &Object, mutation: Mutation, is_dry_run: bool) -> Verdict {
        let is_service = object.kind.eq_ignore_ascii_case("service");
        let subject = Subject {
            owner_kind: object.owner.known_kind(),
            namespace: &object.namespace.name,
            annotation_at: mutation.annotation_at,
            annotations: &object.meta.annotations,
        };
        self.metrics.request(&subject);
        let (namespace, owner) = (&object.namespace.name, &object.owner);
        let what = match &mutation.action {
            Action::Inject(_) => Some(What::Injected),
            Action::Annotate(_, reasons) | Action::Skip(reasons) if !is_service => Some(What::Skipped(reasons.clone())),
            Action::Annotate(..) | Action::Skip(_) | Action::Reject(_) => None,
        };
        if let Some((what, owner)) = what.zip(object.owner_object.clone()).filter(|_| !is_dry_run) {
            self.events.emit(what.event(namespace, owner));
        }
        let patch = match mutation.action {
            Action::Inject(patch) => {
                tracing::info!(namespace, kind = owner.kind, name = owner.name, "injected");
                self.metrics.response(&subject, None);
                patch
            }
            Action::Annotate(patch, reasons) => {
                tracing::debug!(
                    namespace,
                    kind = owner.kind,
                    name = owner.name,
                    reasons = texts(&reasons),
                    "annotated"
                );
                self.metrics.response(&subject, None);
                patch
            }
            Action::Skip(reasons) => {
                tracing::debug!(namespace, kind = owner.kind, name = owner.name, reasons = texts(&reasons), "skipped");
                if !is_service {
                    self.metrics.response(&subject, Some(&reasons));
                }
                return Verdict { warnings: mutation.warnings, ..Verdict::allow() };
            }
            Action::Reject(rejection) => {
                tracing::info!(namespace, kind = owner.kind, name = owner.name, %rejection, "rejected");
                return self.deny(Failure::Rejected, rejection.to_string());
            }
        };
        Verdict { patch: Some(patch.to_json()), warnings: mutation.warnings, ..Verdict::allow() }
    }
}

fn texts(reasons: &[SkipReason]) -> String {
    reasons.iter().map(|reason| reason.text()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
