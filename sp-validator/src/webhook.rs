//! The webhook: verdicts of the core over HTTPS.

use crate::{
    args::Args,
    core,
    metrics::{Metrics, Outcome},
};
use linkerd_controller::{
    listen::Listener,
    tasks::{BoxError, Tasks},
    webhook::{self, Admission, AdmissionRequest, Fault, Verdict},
    webhook_certificate::WebhookKind,
};
use std::sync::Arc;

/// Starts the webhook's tasks.
///
/// # Errors
/// When the address is taken.
pub async fn start(args: Args, tasks: Tasks) -> Result<(), BoxError> {
    let certificate =
        args.certificate.certificate(&args.common, &args.controller_namespace, WebhookKind::Validating, &tasks).await?;
    let listener = Listener::bind(args.addr)?.with_tls(certificate.server_config(&["h2", "http/1.1"])?);
    let validator = Validator { metrics: tasks.metrics.register(Metrics::register) };
    let router = webhook::router(Arc::new(validator));
    tasks.spawn_draining("webhook", listener.serve(router, tasks.shutdown().clone()));
    Ok(())
}

/// Judges ServiceProfiles. Nothing but the object matters.
#[derive(Debug, Default)]
pub struct Validator {
    metrics: Metrics,
}

impl Admission for Validator {
    async fn review(&self, request: AdmissionRequest) -> Result<Verdict, Fault> {
        let (outcome, verdict) = match core::validate(Some(&request.object)) {
            Ok(warnings) if warnings.is_empty() => (Outcome::Allowed, Verdict::allow()),
            Ok(warnings) => (Outcome::Warned, Verdict { warnings, ..Verdict::allow() }),
            Err(rejection) => (Outcome::Denied, Verdict::deny(rejection.to_string())),
        };
        self.metrics.count(outcome);
        Ok(verdict)
    }
}

#[cfg(test)]
mod tests;
