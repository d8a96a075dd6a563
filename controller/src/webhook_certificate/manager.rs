//! Makes Secret, configuration and served certificate right, again and again.

use super::{ManagedWebhook, bundle::Bundle, changes};
use crate::{readiness::Pending, tls::CurrentCertificate};
use futures::StreamExt;
use k8s_openapi::{ByteString, api::core::v1::Secret, jiff::Timestamp};
use kube::{
    Api, Client,
    api::{DynamicObject, ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::json;
use std::{convert::Infallible, time::Duration};

/// How often the Secret and the configuration are looked at, whether or not a change was seen: whatever
/// changed them, they come right.
const PERIOD: Duration = Duration::from_secs(10);
/// How often they are looked at before the first certificate.
const FIRST_PERIOD: Duration = Duration::from_secs(1);
/// How long the configuration must have known an authority before its certificate is served: API servers
/// read the configuration from a cache.
const KNOWN_FOR: Duration = Duration::from_secs(10);
/// How often a write is tried when another replica was quicker.
const ATTEMPTS: usize = 3;

/// Why a round failed; the next one tries again.
#[derive(Debug, thiserror::Error)]
pub(super) enum RoundError {
    #[error("cannot {action} {object}: {source}")]
    Api { action: &'static str, object: String, source: kube::Error },
    #[error("cannot issue a certificate: {0}")]
    Issue(#[from] rcgen::Error),
    #[error("the certificate in the Secret cannot be used: {0}")]
    Use(#[from] crate::tls::CertificateError),
}

/// Keeps one webhook right.
pub(super) struct Manager {
    client: Client,
    webhook: ManagedWebhook,
    current: CurrentCertificate,
    /// What is served.
    pub(super) served: Option<Bundle>,
    /// Authorities that the configuration has, and since when.
    published: Option<(Vec<u8>, Timestamp)>,
}

impl Manager {
    pub(super) fn new(client: Client, webhook: ManagedWebhook, current: CurrentCertificate) -> Self {
        Self { client, webhook, current, served: None, published: None }
    }

    pub(super) async fn run(mut self, pending: Pending) -> Result<(), Infallible> {
        let (mut pending, mut last_error) = (Some(pending), String::new());
        let mut changes = changes::of(&self.client, &self.webhook);
        loop {
            match self.round(Timestamp::now()).await {
                Ok(()) => {
                    pending = None;
                    last_error.clear();
                }
                Err(error) => {
                    let error = error.to_string();
                    if error != last_error {
                        let is_serving = pending.is_none();
                        tracing::warn!(webhook = self.webhook.service, error, is_serving, "not right");
                        last_error = error;
                    }
                }
            }
            let pause = if pending.is_some() { FIRST_PERIOD } else { PERIOD };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                Some(()) = changes.next() => {}
            }
        }
    }

    /// Makes everything right once: Secret, then configuration, then the certificate that is served.
    pub(super) async fn round(&mut self, now: Timestamp) -> Result<(), RoundError> {
        let bundle = self.secret(now).await?;
        self.configuration(&bundle.authorities).await?;
        let since = match &self.published {
            Some((authorities, since)) if *authorities == bundle.authorities => *since,
            _ => now,
        };
        self.published = Some((bundle.authorities.clone(), since));
        if self.served.as_ref() != Some(&bundle) && self.may_serve(&bundle, since, now) {
            self.current.set_pem(&bundle.certificate, &bundle.key)?;
            tracing::info!(webhook = self.webhook.service, "serving a new certificate");
            self.served = Some(bundle);
        }
        Ok(())
    }

    /// A certificate whose authority callers may not know yet waits, as long as they accept the one before.
    fn may_serve(&self, bundle: &Bundle, since: Timestamp, now: Timestamp) -> bool {
        let is_known = now.duration_since(since).unsigned_abs() >= KNOWN_FOR;
        is_known || self.served.as_ref().is_none_or(|served| !bundle.trusts(served))
    }

    /// What the Secret holds, after a new certificate was written to it where one is due.
    async fn secret(&self, now: Timestamp) -> Result<Bundle, RoundError> {
        let mut attempt = 1;
        loop {
            match self.try_secret(now).await {
                // Another replica has written first: what it wrote is as good.
                Err(RoundError::Api { source: kube::Error::Api(status), .. })
                    if status.code == 409 && attempt < ATTEMPTS =>
                {
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    async fn try_secret(&self, now: Timestamp) -> Result<Bundle, RoundError> {
        let name = self.webhook.secret();
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
        // The authority that stays is that of the certificate that is served, also when the Secret is gone or
        // damaged.
        let before = match (&held, &self.served) {
            (Some(held), Some(served)) if !held.trusts(served) => Some(served),
            (held, served) => held.as_ref().or(served.as_ref()),
        };
        let issued = Bundle::issue(&self.server_name(), before, now)?;
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

    pub(super) fn server_name(&self) -> String {
        format!("{}.{}.svc", self.webhook.service, self.webhook.namespace)
    }

    /// Puts the authorities into each webhook of the configuration that lacks them.
    async fn configuration(&self, authorities: &[u8]) -> Result<(), RoundError> {
        let name = self.webhook.configuration();
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
