//! Whether the API server will accept the certificates of the webhooks.
//!
//! What counts is what is there: the certificate in the Secret that the webhook's process serves, and the
//! authorities in the configuration that the API server goes by.

use super::identity::lasts;
use crate::check::{
    context::{Config, Context},
    verdict::{Finding, Verdict, ensure, only_if},
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::{
    admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration, WebhookClientConfig},
    core::v1::Secret,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use linkerd_controller::tls::CurrentCertificate;
use linkerd_identity::core::{pem, validity::Validity};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::{sync::Arc, time::Duration};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

/// How long after it was due a renewal is missed.
const PATIENCE: SignedDuration = SignedDuration::from_hours(24);

/// A webhook that the chart installs.
#[derive(Clone, Copy, Debug)]
pub struct Webhook {
    /// Its name in texts, and with `linkerd-` before it that of its Service.
    pub name: &'static str,
    /// Its values.
    values: &'static str,
    is_mutating: bool,
}

/// It injects proxies.
pub const INJECTOR: Webhook = Webhook { name: "proxy-injector", values: "proxyInjector", is_mutating: true };
/// It judges ServiceProfiles.
pub const PROFILES: Webhook = Webhook { name: "sp-validator", values: "profileValidator", is_mutating: false };
/// It judges policies.
pub const POLICIES: Webhook = Webhook { name: "policy-validator", values: "policyValidator", is_mutating: false };

/// How the API server calls a webhook.
pub struct Call {
    client: WebhookClientConfig,
    /// Namespaces whose objects are sent.
    pub namespaces: Option<LabelSelector>,
}

impl Webhook {
    /// Whether the installation has it.
    fn is_installed(&self, config: &Config) -> bool {
        self.name != POLICIES.name || config.is("/policyValidator/enabled")
    }

    /// Whether its own process issues and renews its certificate.
    fn issues_itself(&self, config: &Config) -> bool {
        let is_given = !config.text(&format!("/{}/crtPEM", self.values)).is_empty();
        !is_given && !config.is(&format!("/{}/externalSecret", self.values))
    }

    /// How the API server calls it.
    pub async fn call(&self, context: &Context) -> Result<Call, Finding> {
        let name = format!("linkerd-{}-webhook-config", self.name);
        let reads = context.reads()?;
        let calls: Vec<Call> = if self.is_mutating {
            let found = reads.global::<MutatingWebhookConfiguration>(&name).await?;
            let webhooks = Option::as_ref(&found).and_then(|found| found.webhooks.clone()).unwrap_or_default();
            let call = |webhook: k8s_openapi::api::admissionregistration::v1::MutatingWebhook| Call {
                client: webhook.client_config,
                namespaces: webhook.namespace_selector,
            };
            webhooks.into_iter().map(call).collect()
        } else {
            let found = reads.global::<ValidatingWebhookConfiguration>(&name).await?;
            let webhooks = Option::as_ref(&found).and_then(|found| found.webhooks.clone()).unwrap_or_default();
            let call = |webhook: k8s_openapi::api::admissionregistration::v1::ValidatingWebhook| Call {
                client: webhook.client_config,
                namespaces: webhook.namespace_selector,
            };
            webhooks.into_iter().map(call).collect()
        };
        let count = calls.len();
        let [call] = <[Call; 1]>::try_from(calls).map_err(|_| {
            Finding::Error(format!("expected 1 webhook in {name}, found {count}; apply the manifests again"))
        })?;
        Ok(call)
    }

    async fn secret(&self, context: &Context) -> Result<Arc<Option<Secret>>, Finding> {
        context.reads()?.one(context.namespace(), &self.secret_name()).await
    }

    fn secret_name(&self) -> String {
        format!("linkerd-{}-k8s-tls", self.name)
    }
}

/// The API server accepts the webhook's certificate.
pub async fn is_valid(context: &Context, webhook: Webhook) -> Verdict {
    let config = context.config().await?;
    only_if(webhook.is_installed(&config))?;
    let call = webhook.call(context).await?;
    let secret = webhook.secret(context).await?;
    let served = Served::read(&webhook, Option::as_ref(&secret))?;
    let verdict = is_accepted(&served, &call.client, context.now());
    verdict.map_err(|finding| with_advice(finding, &webhook, &config, context.namespace()))
}

/// Adds what to do about a certificate that is not accepted.
fn with_advice(finding: Finding, webhook: &Webhook, config: &Config, namespace: &str) -> Finding {
    let Finding::Error(text) = finding else { return finding };
    let name = webhook.name;
    let component = if name == POLICIES.name { "policy" } else { name };
    Finding::Error(match webhook.issues_itself(config) {
        true => format!(
            "{text}; the process mends that within seconds, else see `kubectl logs -n {namespace} deploy/linkerd-{component}`"
        ),
        false => format!(
            "{text}; renew the Secret {}, which the control plane was told not to make itself",
            webhook.secret_name()
        ),
    })
}

/// The certificate that somebody has to renew lasts.
pub async fn lasts_long(context: &Context, webhook: Webhook) -> Verdict {
    let config = context.config().await?;
    only_if(webhook.is_installed(&config) && !webhook.issues_itself(&config))?;
    let secret = webhook.secret(context).await?;
    let served = Served::read(&webhook, Option::as_ref(&secret))?;
    lasts(&served.validity()?, context.now()).map_err(|reason| Finding::Error(format!("certificate {reason}")))
}

/// The certificate that renews itself was renewed when it was due.
pub async fn is_renewed(context: &Context, webhook: Webhook) -> Verdict {
    let config = context.config().await?;
    only_if(webhook.is_installed(&config) && webhook.issues_itself(&config))?;
    let secret = webhook.secret(context).await?;
    let served = Served::read(&webhook, Option::as_ref(&secret))?;
    let renewed = was_renewed(&served.validity()?, context.now());
    renewed.map_err(|finding| with_advice(finding, &webhook, &config, context.namespace()))
}

/// Renewal is due when two thirds of the life have passed.
fn was_renewed(validity: &Validity, now: Timestamp) -> Verdict {
    let life = validity.not_after.as_second() - validity.not_before.as_second();
    let due = Timestamp::from_second(validity.not_before.as_second() + life * 2 / 3).unwrap_or(validity.not_after);
    ensure(now.duration_since(due) < PATIENCE, || {
        format!("the certificate, which ends on {}, should have been renewed on {due}", validity.not_after)
    })
}

/// What a webhook's process serves.
struct Served {
    chain: Vec<CertificateDer<'static>>,
}

impl Served {
    fn read(webhook: &Webhook, secret: Option<&Secret>) -> Result<Self, Finding> {
        let name = webhook.secret_name();
        let secret = secret.ok_or_else(|| Finding::Error(format!("there is no Secret {name}")))?;
        let part = |key: &str| {
            let part = secret.data.as_ref().and_then(|data| data.get(key));
            part.map(|part| part.0.as_slice()).ok_or_else(|| Finding::Error(format!("the Secret {name} has no {key}")))
        };
        let (certificate, key) = (part("tls.crt")?, part("tls.key")?);
        let wrong =
            |error: &dyn std::fmt::Display| Finding::Error(format!("the Secret {name} cannot be used: {error}"));
        CurrentCertificate::default().set_pem(certificate, key).map_err(|error| wrong(&error))?;
        Ok(Self { chain: pem::certificates(certificate).map_err(|error| wrong(&error))? })
    }

    fn validity(&self) -> Result<Validity, Finding> {
        let leaf = self.chain.first().and_then(|leaf| X509Certificate::from_der(leaf).ok());
        leaf.map(|(_, leaf)| Validity::of(&leaf)).ok_or_else(|| Finding::error("the certificate cannot be read"))
    }
}

/// Verifies a certificate as the API server does.
fn is_accepted(served: &Served, client: &WebhookClientConfig, now: Timestamp) -> Verdict {
    served.validity()?.check(now).map_err(|error| Finding::Error(format!("the certificate is {error}")))?;
    let bundle = client.ca_bundle.as_ref().map(|bundle| bundle.0.as_slice()).unwrap_or_default();
    let authorities = pem::certificates(bundle).map_err(|error| {
        Finding::Error(format!("the caBundle of the webhook configuration cannot be used: {error}"))
    })?;
    let name = server_name(client)?;
    verify(&served.chain, &authorities, &name, now).map_err(|error| {
        Finding::Error(format!("the API server will refuse the certificate for {}: {error}", name.to_str()))
    })
}

fn verify(
    chain: &[CertificateDer<'_>],
    authorities: &[CertificateDer<'_>],
    name: &ServerName<'_>,
    now: Timestamp,
) -> Result<(), webpki::Error> {
    let (leaf, intermediates) = chain.split_first().ok_or(webpki::Error::BadDer)?;
    let certificate = EndEntityCert::try_from(leaf)?;
    certificate.verify_is_valid_for_subject_name(name)?;
    // A certificate that is an authority itself, as simple tools make them, is trusted as it is.
    if authorities.contains(leaf) {
        return Ok(());
    }
    let anchors: Vec<_> = authorities.iter().filter_map(|authority| anchor_from_trusted_cert(authority).ok()).collect();
    let time = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now.as_second()).unwrap_or_default()));
    let usage = KeyUsage::server_auth();
    certificate.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &anchors, intermediates, time, usage, None, None)?;
    Ok(())
}

/// The name under which the API server calls.
fn server_name(client: &WebhookClientConfig) -> Result<ServerName<'static>, Finding> {
    let name = match (&client.service, &client.url) {
        (Some(service), _) => format!("{}.{}.svc", service.name, service.namespace),
        (None, Some(url)) => {
            url.parse::<http::Uri>().ok().and_then(|url| Some(url.host()?.to_owned())).unwrap_or_default()
        }
        (None, None) => String::new(),
    };
    ServerName::try_from(name).map_err(|_| Finding::error("the webhook configuration names no server to call"))
}

#[cfg(test)]
mod tests;
