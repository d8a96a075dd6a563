//! The certificates of admission webhooks, which their own processes issue.
//!
//! Each certificate has an authority of its own, whose key is thrown away. The Secret keeps the
//! certificate and the authorities of this one and the one before; both are in the webhook
//! configuration, and a new certificate is served only when every API server has had the time to learn of
//! its authority, so that a certificate is replaced without a failed call. Several replicas share one
//! Secret: the first to write wins, and the others take what it wrote. Neither is part of what Helm
//! installs, so that an upgrade changes no certificate.

mod bundle;
mod changes;
mod manager;

use self::manager::Manager;
use crate::{
    args::Common,
    client::{self, ClientError},
    tasks::Tasks,
    tls::{CurrentCertificate, KeyPairFiles},
};
use clap::Args;
use kube::{
    Client,
    api::{ApiResource, GroupVersionKind},
};
use std::path::PathBuf;

/// Where a webhook's certificate comes from.
#[derive(Clone, Debug, Args)]
pub struct WebhookCertificateArgs {
    /// Folder with the webhook's certificate tls.crt and key tls.key
    #[arg(long, default_value = "/var/run/linkerd/tls", value_name = "FOLDER", hide_short_help = true)]
    pub tls_dir: PathBuf,
    /// Service of the webhook, whose certificate this process then issues and renews itself, in the Secret
    /// SERVICE-k8s-tls and the configuration SERVICE-webhook-config; empty to read --tls-dir
    #[arg(long, default_value = "", value_name = "SERVICE", hide_short_help = true)]
    pub webhook_service: String,
}

impl WebhookCertificateArgs {
    /// The certificate, kept right: issued here, or read from files.
    ///
    /// # Errors
    /// When it is issued here and there is no configuration of a cluster.
    pub async fn certificate(
        &self,
        common: &Common,
        namespace: &str,
        kind: WebhookKind,
        tasks: &Tasks,
    ) -> Result<CurrentCertificate, ClientError> {
        if self.webhook_service.is_empty() {
            let certificate = CurrentCertificate::default();
            certificate.follow(tasks, KeyPairFiles::in_folder(&self.tls_dir));
            return Ok(certificate);
        }
        let webhook = ManagedWebhook { namespace: namespace.to_owned(), service: self.webhook_service.clone(), kind };
        Ok(manage(tasks, client::connect(common).await?, webhook))
    }
}

/// What calls the webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookKind {
    /// It changes objects.
    Mutating,
    /// It judges objects.
    Validating,
}

/// A webhook whose certificate is issued here.
#[derive(Clone, Debug)]
pub struct ManagedWebhook {
    /// Namespace of its Service and Secret.
    pub namespace: String,
    /// Its Service; the Secret is `NAME-k8s-tls` and the configuration `NAME-webhook-config`.
    pub service: String,
    /// Kind of its configuration.
    pub kind: WebhookKind,
}

impl ManagedWebhook {
    fn secret(&self) -> String {
        format!("{}-k8s-tls", self.service)
    }

    fn configuration(&self) -> String {
        format!("{}-webhook-config", self.service)
    }
}

/// Keeps the webhook's certificate, Secret and configuration right; readiness waits for the first round.
pub fn manage(tasks: &Tasks, client: Client, webhook: ManagedWebhook) -> CurrentCertificate {
    let current = CurrentCertificate::default();
    let pending = tasks.readiness.hold(format!("certificate of webhook {}", webhook.service));
    let manager = Manager::new(client, webhook, current.clone());
    tasks.spawn("webhook certificate", manager.run(pending));
    current
}

impl WebhookKind {
    fn name(self) -> &'static str {
        match self {
            Self::Mutating => "MutatingWebhookConfiguration",
            Self::Validating => "ValidatingWebhookConfiguration",
        }
    }

    fn resource(self) -> ApiResource {
        ApiResource::from_gvk(&GroupVersionKind::gvk("admissionregistration.k8s.io", "v1", self.name()))
    }
}

#[cfg(test)]
mod tests;
