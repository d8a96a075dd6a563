//! The certificates of admission webhooks, which their own processes issue.
//!
//! Each certificate has an authority of its own, whose key is thrown away. The Secret keeps the
//! certificate and the authorities of this one and the one before; both are in the webhook
//! configuration, so that a certificate is replaced without a failed call. Several replicas share one
//! Secret: the first to write wins, and the others take what it wrote.

use crate::{
    args::Common,
    client::{self, ClientError},
    tasks::Tasks,
    tls::{CurrentCertificate, KeyPairFiles},
};
use clap::Args;
use k8s_openapi::{ByteString, api::core::v1::Secret, jiff::Timestamp};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, ObjectMeta, Patch, PatchParams, PostParams},
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use serde_json::json;
use std::{collections::BTreeMap, convert::Infallible, path::PathBuf, time::Duration};

/// How often the Secret and the configuration are looked at: whatever changed them, they come right.
const PERIOD: Duration = Duration::from_secs(10);
/// Life of a certificate and its authority; renewed when two thirds have passed.
const LIFE: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// How far the clock of the API server may be behind.
const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
const AUTHORITIES: &str = "ca.crt";

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

/// Why a round failed; the next one tries again.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error("cannot {action} {object}: {source}")]
    Api { action: &'static str, object: String, source: kube::Error },
    #[error("cannot issue a certificate: {0}")]
    Issue(#[from] rcgen::Error),
    #[error("the certificate in the Secret cannot be used: {0}")]
    Use(#[from] crate::tls::CertificateError),
}

/// Keeps the webhook's certificate, Secret and configuration right; readiness waits for the first round.
pub fn manage(tasks: &Tasks, client: Client, webhook: ManagedWebhook) -> CurrentCertificate {
    let current = CurrentCertificate::default();
    let pending = tasks.readiness.hold(format!("certificate of webhook {}", webhook.service));
    let manager = Manager { client, webhook, current: current.clone(), served: None };
    tasks.spawn("webhook certificate", manager.run(pending));
    current
}

struct Manager {
    client: Client,
    webhook: ManagedWebhook,
    current: CurrentCertificate,
    /// The certificate in force, in PEM.
    served: Option<Vec<u8>>,
}

impl Manager {
    async fn run(mut self, pending: crate::readiness::Pending) -> Result<(), Infallible> {
        let (mut pending, mut last_error) = (Some(pending), String::new());
        loop {
            match self.round(Timestamp::now()).await {
                Ok(()) => {
                    pending = None;
                    last_error.clear();
                }
                Err(error) => {
                    let error = error.to_string();
                    if error != last_error {
                        tracing::warn!(
                            webhook = self.webhook.service,
                            error,
                            is_serving = pending.is_none(),
                            "not right"
                        );
                        last_error = error;
                    }
                }
            }
            let is_waiting = pending.is_some();
            tokio::time::sleep(if is_waiting { Duration::from_secs(1) } else { PERIOD }).await;
        }
    }

    /// Makes everything right once: Secret, then configuration, then the certificate that is served.
    async fn round(&mut self, now: Timestamp) -> Result<(), RoundError> {
        let bundle = self.secret(now).await?;
        self.configuration(&bundle.authorities).await?;
        if self.served.as_ref() != Some(&bundle.certificate) {
            self.current.set_pem(&bundle.certificate, &bundle.key)?;
            tracing::info!(webhook = self.webhook.service, "serving a new certificate");
            self.served = Some(bundle.certificate);
        }
        Ok(())
    }

    /// What the Secret holds, after a new certificate was written to it where one is due.
    async fn secret(&self, now: Timestamp) -> Result<Bundle, RoundError> {
        let name = format!("{}-k8s-tls", self.webhook.service);
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.webhook.namespace);
        let failed = |action| {
            let object = format!("Secret {}/{name}", self.webhook.namespace);
            move |source| RoundError::Api { action, object, source }
        };
        let found = secrets.get_opt(&name).await.map_err(failed("read"))?;
        let held = found.as_ref().and_then(Bundle::read);
        if let Some(held) = held.as_ref().filter(|held| held.is_good(&self.server_name(), now)) {
            return Ok(held.clone());
        }
        let issued = Bundle::issue(&self.server_name(), held.as_ref(), now)?;
        let mut secret = found.unwrap_or_default();
        let exists = secret.metadata.resource_version.is_some();
        secret.data = Some(issued.data());
        if exists {
            // With the version that was read: of two replicas, one is told to look again.
            secrets.replace(&name, &PostParams::default(), &secret).await.map_err(failed("update"))?;
        } else {
            secret.type_ = Some("kubernetes.io/tls".to_owned());
            secret.metadata = self.metadata(name.clone());
            secrets.create(&PostParams::default(), &secret).await.map_err(failed("create"))?;
        }
        Ok(issued)
    }

    fn metadata(&self, name: String) -> ObjectMeta {
        let labels = [
            ("linkerd.io/control-plane-ns", self.webhook.namespace.as_str()),
            ("app.kubernetes.io/part-of", "Linkerd"),
        ];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
        ObjectMeta { name: Some(name), labels: Some(labels.into()), ..ObjectMeta::default() }
    }

    fn server_name(&self) -> String {
        format!("{}.{}.svc", self.webhook.service, self.webhook.namespace)
    }

    /// Puts the authorities into each webhook of the configuration that lacks them.
    async fn configuration(&self, authorities: &[u8]) -> Result<(), RoundError> {
        let name = format!("{}-webhook-config", self.webhook.service);
        let failed = |action| {
            let object = format!("{} {name}", self.webhook.kind.name());
            move |source| RoundError::Api { action, object, source }
        };
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &self.webhook.kind.resource());
        let configuration = api.get(&name).await.map_err(failed("read"))?;
        let authorities = serde_json::to_value(ByteString(authorities.to_vec())).unwrap_or_default();
        let webhooks = configuration.data["webhooks"].as_array().into_iter().flatten();
        let lacking = webhooks.enumerate().filter(|(_, webhook)| webhook["clientConfig"]["caBundle"] != authorities);
        let additions: Vec<_> = lacking
            .map(|(index, _)| format!("/webhooks/{index}/clientConfig/caBundle"))
            .map(|path| json!({"op": "add", "path": path, "value": authorities}))
            .collect();
        if additions.is_empty() {
            return Ok(());
        }
        // The version makes the patch fail when somebody changed the webhooks meanwhile.
        let version = &configuration.metadata.resource_version;
        let test = json!({"op": "test", "path": "/metadata/resourceVersion", "value": version});
        let operations = serde_json::Value::Array(std::iter::once(test).chain(additions).collect());
        let patch = serde_json::from_value(operations).map_err(kube::Error::SerdeError).map_err(failed("patch"))?;
        api.patch(&name, &PatchParams::default(), &Patch::<DynamicObject>::Json(patch))
            .await
            .map_err(failed("patch"))?;
        Ok(())
    }
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

/// A certificate with its key and authorities, in PEM.
#[derive(Clone)]
struct Bundle {
    certificate: Vec<u8>,
    key: Vec<u8>,
    /// The authority of this certificate, and that of the one before.
    authorities: Vec<u8>,
}

impl Bundle {
    fn read(secret: &Secret) -> Option<Self> {
        let data = secret.data.as_ref()?;
        let field = |name: &str| data.get(name).map(|bytes| bytes.0.clone());
        Some(Self { certificate: field(CERTIFICATE)?, key: field(KEY)?, authorities: field(AUTHORITIES)? })
    }

    fn data(&self) -> BTreeMap<String, ByteString> {
        let fields = [(CERTIFICATE, &self.certificate), (KEY, &self.key), (AUTHORITIES, &self.authorities)];
        fields.map(|(name, bytes)| (name.to_owned(), ByteString(bytes.clone()))).into()
    }

    /// Whether it is for this name and not due for renewal.
    fn is_good(&self, server_name: &str, now: Timestamp) -> bool {
        let Ok(der) = CertificateDer::from_pem_slice(&self.certificate) else { return false };
        let Ok((_, certificate)) = x509_parser::parse_x509_certificate(&der) else { return false };
        let names = certificate.subject_alternative_name().ok().flatten();
        let is_named = names.is_some_and(|names| {
            let is_name = |name: &x509_parser::extensions::GeneralName<'_>| {
                matches!(name, x509_parser::extensions::GeneralName::DNSName(name) if *name == server_name)
            };
            names.value.general_names.iter().any(is_name)
        });
        let validity = certificate.validity();
        let (from, until) = (validity.not_before.timestamp(), validity.not_after.timestamp());
        let renew_at = from + (until - from) * 2 / 3;
        is_named && (from..renew_at).contains(&now.as_second())
    }

    /// Issues a certificate, and keeps the authority of the one before it.
    fn issue(server_name: &str, before: Option<&Self>, now: Timestamp) -> Result<Self, rcgen::Error> {
        let authority = CertifiedIssuer::self_signed(authority(server_name, now)?, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let leaf = leaf(server_name, now)?.signed_by(&key, &authority)?;
        let mut authorities = authority.pem();
        if let Some(former) = before.and_then(Self::newest_authority) {
            authorities.push_str(&former);
        }
        Ok(Self {
            certificate: leaf.pem().into_bytes(),
            key: key.serialize_pem().into_bytes(),
            authorities: authorities.into_bytes(),
        })
    }

    fn newest_authority(&self) -> Option<String> {
        const END: &str = "-----END CERTIFICATE-----";
        let text = std::str::from_utf8(&self.authorities).ok()?;
        Some(format!("{}\n", &text[..text.find(END)? + END.len()]))
    }
}

fn authority(server_name: &str, now: Timestamp) -> Result<CertificateParams, rcgen::Error> {
    let mut params = valid(CertificateParams::new(Vec::new())?, now);
    // The serial tells two authorities of one name apart.
    params.distinguished_name.push(DnType::CommonName, format!("{server_name} authority {}", now.as_second()));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    Ok(params)
}

fn leaf(server_name: &str, now: Timestamp) -> Result<CertificateParams, rcgen::Error> {
    let mut params = valid(CertificateParams::new(vec![server_name.to_owned()])?, now);
    params.distinguished_name.push(DnType::CommonName, server_name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn valid(mut params: CertificateParams, now: Timestamp) -> CertificateParams {
    let date = |seconds: i64| {
        let time = Timestamp::from_second(seconds).unwrap_or(now).to_zoned(k8s_openapi::jiff::tz::TimeZone::UTC);
        rcgen::date_time_ymd(i32::from(time.year()), time.month() as u8, time.day() as u8)
    };
    // Whole days; the day before leaves room for clocks that are behind.
    params.not_before = date(now.as_second() - CLOCK_SKEW.as_secs() as i64);
    params.not_after = date(now.as_second() + LIFE.as_secs() as i64 + 24 * 60 * 60);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
}

#[cfg(test)]
mod tests;
